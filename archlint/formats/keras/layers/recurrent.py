"""Recurrent layers, their cells, and Bidirectional."""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.keras.activations import activation_name
from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Call, Translator, values_of
from archlint.formats.keras.layers.conv import window
from archlint.formats.keras.raw import Raw
from archlint.graph import Attr

STATES = {"LSTM": 2, "GRU": 1, "RNN": 1, "ConvLSTM": 2}
"""Op → number of states that ``return_state`` adds to the outputs."""

OPS = {
    "LSTM": "LSTM",
    "LSTMCell": "LSTM",
    "CuDNNLSTM": "LSTM",
    "GRU": "GRU",
    "GRUCell": "GRU",
    "CuDNNGRU": "GRU",
    "SimpleRNN": "RNN",
    "SimpleRNNCell": "RNN",
    "ConvLSTM1D": "ConvLSTM",
    "ConvLSTM2D": "ConvLSTM",
    "ConvLSTM3D": "ConvLSTM",
}
"""Layer or cell class → op."""

CUDNN_BIASES = {"CuDNNLSTM": 8, "CuDNNGRU": 6}
"""Length of the bias over the units: cuDNN keeps two per gate (keras/layers/cudnn_recurrent.py, 2.x)."""

FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")


def cell_settings(call: Call, op: str, config: Raw) -> dict[str, Attr]:
    """Settings of the cell: size, activations, bias, dropout."""
    attrs: dict[str, Attr] = {
        "activation": activation_name(config["activation"])[0] if "activation" in config else "tanh",
        "use_bias": config["use_bias"].flag(True),
        "dropout": config["dropout"].float(0.0),
        "recurrent_dropout": config["recurrent_dropout"].float(0.0),
    }
    if op == "ConvLSTM":
        attrs["filters"] = config["filters"].int(low=1)
    else:
        attrs["units"] = config["units"].int(low=1)
    if op != "RNN" and "recurrent_activation" in config:
        attrs["recurrent_activation"] = activation_name(config["recurrent_activation"])[0]
    if op == "GRU":
        attrs["reset_after"] = config["reset_after"].flag(call.builder.keras_major >= 3)
    return attrs


def layer_settings(call: Call, op: str, config: Raw) -> dict[str, Attr]:
    """Settings of the layer around the cell: what it returns, and for ConvLSTM its window."""
    attrs: dict[str, Attr] = {key: config[key].flag(False) for key in FLAGS}
    if config["use_cudnn"].value is False:
        attrs["use_cudnn"] = False
    if op == "ConvLSTM":
        rank = int(call.layer.cls[-2])
        axis = 2 if config["data_format"].text("channels_last") == "channels_first" else -1
        attrs |= {**window(call, rank), "channel_axis": axis}
        attrs["kernel"] = config["kernel_size"].ints(rank, low=1)
    return attrs


def sources(call: Call) -> list[Val]:
    """The sequence, then the initial state when one is given."""
    found = call.inputs
    state = call.args[1] if len(call.args) > 1 else call.kwargs.get("initial_state")
    return found + [value for value in values_of(state) if value not in call.builder.ignored]


def recurrent(call: Call) -> list[Val]:
    """LSTM, GRU, SimpleRNN and ConvLSTM."""
    cls = call.layer.cls
    op = OPS[cls]
    attrs = cell_settings(call, op, call.config) | layer_settings(call, op, call.config)
    outputs = 1 + (STATES[op] if attrs["return_state"] else 0)
    values = call.node(op, sources(call), attrs, outputs=outputs)
    if cls in CUDNN_BIASES:
        call.builder.reshape_param("bias", (CUDNN_BIASES[cls] * call.config["units"].int(),))
    return values


def rnn(call: Call) -> list[Val]:
    """RNN over a cell or a stack of cells, a node each; a cell that is not Keras's own is Unknown.

    States, given or returned, stand in the order of the cells (keras/src/layers/rnn/stacked_rnn_cells.py).
    """
    cell = call.config["cell"]
    stacked = cell["class_name"].text("") == "StackedRNNCells"
    cells = list(cell["config"]["cells"].items()) if stacked else [cell]
    flags: dict[str, Attr] = {key: call.config[key].flag(False) for key in FLAGS}
    known = [op for item in cells if (op := OPS.get(item["class_name"].text("")))]
    if len(known) < len(cells) or not cells:
        return call.unknown()
    value, *given = sources(call)
    returned: list[Val] = []
    for index, (op, item) in enumerate(zip(known, cells, strict=True)):
        last = index == len(cells) - 1
        attrs = cell_settings(call, op, item["config"]) | flags
        if not last:
            attrs["return_sequences"] = True
        start, given = given[: STATES[op]], given[STATES[op] :]
        outputs = 1 + (STATES[op] if attrs["return_state"] else 0)
        part = "" if last else f"cell_{index}"
        value, *states = call.node(op, [value, *start], attrs, part=part, outputs=outputs)
        returned += states
    return [value, *returned]


def bidirectional(call: Call) -> list[Val]:
    """Bidirectional: one node that reads both ways; Unknown when the two layers are of two classes."""
    inner, merge = call.config["layer"], call.config["merge_mode"]
    cls, config = inner["class_name"].text(), inner["config"]
    op = OPS.get(cls)
    back = call.config["backward_layer"]
    if op is None and cls == "RNN":
        cell = config["cell"]
        op = OPS.get(cell["class_name"].text(""))
        settings = cell["config"]
    else:
        settings = config
    if op is None or (not back.is_null and back["class_name"].text("") != cls):
        return call.unknown()
    held = replace(call, layer=replace(call.layer, cls=cls, config=config))
    attrs = cell_settings(held, op, settings) | layer_settings(held, op, config)
    mode = None if merge.is_null and "merge_mode" in call.config else merge.text("concat")
    attrs |= {"direction": "bidirectional", "merge_mode": mode}
    outputs = (2 if mode is None else 1) + (2 * STATES[op] if attrs["return_state"] else 0)
    values = call.node(op, sources(call), attrs, outputs=outputs)
    if cls in CUDNN_BIASES:
        for way in ("forward", "backward"):
            call.builder.reshape_param(f"{way}_bias", (CUDNN_BIASES[cls] * config["units"].int(),))
    return values


RECURRENT: dict[str, Translator] = {
    **dict.fromkeys((cls for cls in OPS if not cls.endswith("Cell")), recurrent),
    "Bidirectional": bidirectional,
    "RNN": rnn,
}
