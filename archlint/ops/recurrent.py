"""Recurrent layers: ``LSTM``, ``GRU``, ``RNN``, ``ConvLSTM``."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archlint.graph import Dim, Node, Shape
from archlint.ops.base import Op, Settings, Tensor, Weight, at, flag, integer, integers, table, word
from archlint.ops.conv import spatial_axes
from archlint.ops.dims import axis_of, pads_of, spread, times, window_length

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""Gates per cell, each a matrix product. Source: ONNX LSTM, GRU, RNN equations."""

_STATES = {"LSTM": 2, "GRU": 1, "RNN": 1}


def directions(node: Node) -> int:
    """2 for a bidirectional node, else 1."""
    return 2 if word(node, "direction") == "bidirectional" else 1


def _time_axis(node: Node) -> int:
    return 0 if integer(node, "time_axis") == 0 else 1


def steps_of(node: Node, ins: Sequence[Tensor]) -> Dim:
    """Number of time steps."""
    shape = at(ins, 0).shape
    return shape[_time_axis(node)] if shape is not None and len(shape) > 2 else None


def _recurrent(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source, units = at(ins, 0), integer(node, "units")
    if source.shape is None or len(source.shape) != 3:
        return [Tensor(source.dtype)] * max(len(node.outputs), 1)
    time = _time_axis(node)
    batch, steps = source.shape[1 - time], source.shape[time]
    if word(node, "merge_mode") == "stack":
        return _stacked(node, source.dtype, batch, steps)
    joined = units if word(node, "merge_mode") != "concat" else times(units, directions(node))
    shape: Shape = (batch, joined)
    if flag(node, "return_sequences"):
        shape = (batch, steps, joined) if time == 1 else (steps, batch, joined)
    main = Tensor(source.dtype, shape)
    apart = 2 if node.attrs.get("merge_mode") is None and directions(node) == 2 else 1
    states = [Tensor(source.dtype, (batch, units))] * (_STATES[node.op] * directions(node))
    return [main] * apart + (states if flag(node, "return_state") else [])


def _stacked(node: Node, dtype: str | None, batch: Dim, steps: Dim) -> Sequence[Tensor]:
    """Y (T, directions, N, units), Y_h and Y_c (directions, N, units); with layout 1, batch first."""
    units, ways = integer(node, "units"), directions(node)
    if _time_axis(node) == 0:
        whole: Shape = (steps, ways, batch, units)
        last: Shape = (ways, batch, units)
    else:
        whole, last = (batch, steps, ways, units), (batch, ways, units)
    return [Tensor(dtype, whole)] + [Tensor(dtype, last)] * _STATES[node.op]


def _recurrent_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """directions · steps · gates · units · (inputs + units).

    Source: Hochreiter & Schmidhuber's cell as ONNX LSTM, GRU and RNN state it: one product with the input
    and one with the previous state per gate; elementwise gate products do not count.
    """
    shape, units, steps = at(ins, 0).shape, integer(node, "units"), steps_of(node, ins)
    if shape is None or units is None or not isinstance(steps, int):
        return None
    features = shape[-1]
    if not isinstance(features, int):
        return None
    return directions(node) * steps * GATES[node.op] * units * (features + units)


def _recurrent_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """kernel (inputs, gates · units), recurrent_kernel (units, gates · units), bias.

    Source: Keras cell builds; GRU with reset_after has a second row of biases.
    """
    shape, units = at(ins, 0).shape, integer(node, "units")
    wide = None if units is None else GATES[node.op] * units
    bias: Shape = (2, wide) if node.op == "GRU" and flag(node, "reset_after") else (wide,)
    inner: Shape = (shape[-1] if shape else None, wide)
    one: list[tuple[str, Shape]] = [("kernel", inner), ("recurrent_kernel", (units, wide))]
    if flag(node, "use_bias"):
        one.append(("bias", bias))
    if directions(node) == 1:
        return [Weight(role, dims) for role, dims in one]
    return [Weight(f"{way}_{role}", dims) for way in ("forward", "backward") for role, dims in one]


def _map_lengths(node: Node, frame: Sequence[Dim]) -> Sequence[Dim]:
    """Spatial lengths of the state of a convolutional cell."""
    rank = len(frame)
    kernel = spread(integers(node, "kernel") or None, rank)
    strides, dilations = spread(integers(node, "strides"), rank), spread(integers(node, "dilations"), rank)
    pads = pads_of(node.attrs.get("padding"), rank)
    if kernel is None or strides is None or dilations is None or pads is None:
        return (None,) * rank
    return [window_length(*row) for row in zip(frame, kernel, strides, dilations, pads, strict=True)]


def _frame(node: Node, shape: Shape) -> tuple[tuple[int, ...], int] | None:
    """Spatial axes and channel axis of the (N, T, …) input."""
    if shape is None or len(shape) < 4:
        return None
    channels = axis_of(integer(node, "channel_axis"), len(shape))
    axes = spatial_axes(len(shape), channels)
    if channels is None or channels < 2 or axes is None:
        return None
    return tuple(axis for axis in axes if axis != 1), channels


def _conv_lstm(node: Node, ins: Sequence[Tensor]) -> Sequence[Tensor]:
    source = at(ins, 0)
    frame = _frame(node, source.shape)
    if source.shape is None or frame is None:
        return [Tensor(source.dtype)] * max(len(node.outputs), 1)
    axes, channels = frame
    shape: list[Dim] = list(source.shape)
    shape[channels] = times(integer(node, "filters"), directions(node))
    for axis, length in zip(axes, _map_lengths(node, [source.shape[axis] for axis in axes]), strict=True):
        shape[axis] = length
    last = Tensor(source.dtype, (shape[0], *shape[2:]))
    main = Tensor(source.dtype, tuple(shape)) if flag(node, "return_sequences") else last
    states = [_single(last, channels - 1, integer(node, "filters"))] * (2 * directions(node))
    return [main, *(states if flag(node, "return_state") else [])]


def _single(state: Tensor, channels: int, filters: Dim) -> Tensor:
    shape = state.shape or ()
    return Tensor(state.dtype, (*shape[:channels], filters, *shape[channels + 1 :]))


def _conv_lstm_macs(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int | None:
    """directions · steps · 4 · positions · prod(kernel) · filters · (Cin + filters).

    Source: Shi et al. 2015, arXiv:1506.04214 eq. 3 without peepholes, as Keras builds it.
    """
    shape = at(ins, 0).shape
    frame, filters = _frame(node, shape), integer(node, "filters")
    if shape is None or frame is None or filters is None:
        return None
    axes, channels = frame
    kernel = spread(integers(node, "kernel") or None, len(axes))
    if kernel is None:
        return None
    total = directions(node) * 4 * prod(kernel) * filters
    for dim in (shape[1], *_map_lengths(node, [shape[axis] for axis in axes])):
        if not isinstance(dim, int):
            return None
        total *= dim
    features = shape[channels]
    return total * (features + filters) if isinstance(features, int) else None


def _conv_lstm_weights(node: Node, ins: Sequence[Tensor]) -> Sequence[Weight]:
    """kernel (k…, Cin, 4 · filters), recurrent_kernel (k…, filters, 4 · filters), bias (4 · filters,)."""
    shape, filters = at(ins, 0).shape, integer(node, "filters")
    frame = _frame(node, shape)
    wide = None if filters is None else 4 * filters
    kernel = None if frame is None else spread(integers(node, "kernel") or None, len(frame[0]))
    inner: Shape = None
    again: Shape = None
    if shape is not None and frame is not None and kernel is not None:
        inner, again = (*kernel, shape[frame[1]], wide), (*kernel, filters, wide)
    one: list[tuple[str, Shape]] = [("kernel", inner), ("recurrent_kernel", again)]
    if flag(node, "use_bias"):
        one.append(("bias", (wide,)))
    if directions(node) == 1:
        return [Weight(role, dims) for role, dims in one]
    return [Weight(f"{way}_{role}", dims) for way in ("forward", "backward") for role, dims in one]


_COMMON: Settings = {
    "units": None,
    "activation": "tanh",
    "use_bias": True,
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "direction": "forward",
    "merge_mode": "concat",
    "time_axis": 1,
}
_GATED: Settings = {**_COMMON, "recurrent_activation": "sigmoid", "use_cudnn": True}
_TRAITS = frozenset({"learned", "recurrent", "nonlinear"})

OPS = table(
    Op("LSTM", _recurrent, _GATED, _recurrent_macs, _recurrent_weights, _TRAITS),
    Op("GRU", _recurrent, {**_GATED, "reset_after": True}, _recurrent_macs, _recurrent_weights, _TRAITS),
    Op("RNN", _recurrent, _COMMON, _recurrent_macs, _recurrent_weights, _TRAITS),
    Op(
        "ConvLSTM",
        _conv_lstm,
        {
            **{name: value for name, value in _GATED.items() if name not in ("units", "time_axis")},
            "filters": None,
            "kernel": (),
            "strides": (),
            "padding": "valid",
            "dilations": (),
            "channel_axis": -1,
        },
        _conv_lstm_macs,
        _conv_lstm_weights,
        _TRAITS,
    ),
)
