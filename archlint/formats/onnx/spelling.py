"""How each ONNX op is said in the catalogue: its name there, its attributes, its weights.

ONNX's defaults are written out, for they differ from the catalogue's. Source of names and defaults:
https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from archlint.dataclass import dataclass
from archlint.graph import Attr


@dataclass(frozen=True, slots=True)
class Row:
    """One op: ``attrs`` maps ONNX's attribute to (the catalogue's, ONNX's default; None: left out).

    ``settings`` are the inputs that only set something, as (index, attribute, kind); kind "ints" is a tuple,
    "number" and "flag" a single value. ``weights`` are the inputs that hold weights, as index → role.
    ``fixed`` are attributes that the op always has.
    """

    op: str = ""
    attrs: Mapping[str, tuple[str, Attr]] = field(default_factory=dict)
    settings: tuple[tuple[int, str, str], ...] = ()
    weights: Mapping[int, str] = field(default_factory=dict)
    fixed: Mapping[str, Attr] = field(default_factory=dict)


_CHANNELS_FIRST: Mapping[str, Attr] = {"channel_axis": 1}
_Spelling = Mapping[str, tuple[str, Attr]]
_WINDOW: _Spelling = {
    "strides": ("strides", ()),
    "dilations": ("dilations", ()),
    "pads": ("pads", ()),
    "auto_pad": ("auto_pad", "NOTSET"),
}
_POOL: _Spelling = {**_WINDOW, "kernel_shape": ("kernel", ()), "ceil_mode": ("ceil_mode", 0)}
_CONV: _Spelling = {**_WINDOW, "group": ("groups", 1), "kernel_shape": ("kernel", ())}
_CONV_WEIGHTS = {1: "kernel", 2: "bias"}
_CELL: _Spelling = {
    "hidden_size": ("units", None),
    "direction": ("direction", "forward"),
    "activations": ("activations", None),
    "layout": ("layout", 0),
}
_CELL_WEIGHTS = {1: "kernel", 2: "recurrent_kernel", 3: "bias"}
_REDUCE = Row(
    attrs={
        "axes": ("axes", ()),
        "keepdims": ("keepdims", 1),
        "noop_with_empty_axes": ("noop", 0),
    },
    settings=((1, "axes", "ints"),),
)
_ARG = Row(attrs={"axis": ("axis", 0), "keepdims": ("keepdims", 1)})
_SOFT = Row(attrs={"axis": ("axis", None)})
_PLAIN = Row()

ROWS: dict[str, Row] = {
    "Conv": Row(attrs=_CONV, weights=_CONV_WEIGHTS, fixed=_CHANNELS_FIRST),
    "ConvTranspose": Row(
        attrs={**_CONV, "output_padding": ("output_padding", ()), "output_shape": ("output_shape", ())},
        weights=_CONV_WEIGHTS,
        fixed=_CHANNELS_FIRST,
    ),
    "DeformConv": Row(attrs={**_CONV, "offset_group": ("offset_group", 1)}, fixed=_CHANNELS_FIRST),
    "ConvInteger": Row(attrs=_CONV, fixed=_CHANNELS_FIRST),
    "QLinearConv": Row(attrs=_CONV, fixed=_CHANNELS_FIRST),
    "MaxUnpool": Row(attrs={**_WINDOW, "kernel_shape": ("kernel", ())}, fixed=_CHANNELS_FIRST),
    "MaxRoiPool": Row(attrs={"pooled_shape": ("output_size", ())}),
    "MaxPool": Row(attrs=_POOL, fixed=_CHANNELS_FIRST),
    "AveragePool": Row(attrs={**_POOL, "count_include_pad": ("count_include_pad", 0)}, fixed=_CHANNELS_FIRST),
    "LpPool": Row(attrs=_POOL, fixed=_CHANNELS_FIRST),
    "GlobalAveragePool": Row(fixed={**_CHANNELS_FIRST, "keepdims": True}),
    "GlobalMaxPool": Row(fixed={**_CHANNELS_FIRST, "keepdims": True}),
    "BatchNormalization": Row(
        attrs={
            "epsilon": ("epsilon", 1e-5),
            "momentum": ("momentum", 0.9),
            "training_mode": ("training", 0),
        },
        weights={1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"},
        fixed=_CHANNELS_FIRST,
    ),
    "LayerNormalization": Row(
        attrs={"epsilon": ("epsilon", 1e-5), "axis": ("axis", -1)}, weights={1: "gamma", 2: "beta"}
    ),
    "RMSNormalization": Row(attrs={"epsilon": ("epsilon", 1e-5), "axis": ("axis", -1)}, weights={1: "gamma"}),
    "InstanceNormalization": Row(
        attrs={"epsilon": ("epsilon", 1e-5)}, weights={1: "gamma", 2: "beta"}, fixed=_CHANNELS_FIRST
    ),
    "GroupNormalization": Row(
        attrs={"epsilon": ("epsilon", 1e-5), "num_groups": ("groups", None)},
        weights={1: "gamma", 2: "beta"},
        fixed=_CHANNELS_FIRST,
    ),
    "LpNormalization": Row(attrs={"axis": ("axis", -1), "p": ("p", 2)}),
    "LRN": Row(attrs={"size": ("size", None)}),
    "Dropout": Row(attrs={"ratio": ("rate", 0.5)}, settings=((1, "rate", "number"), (2, "training", "flag"))),
    "LSTM": Row(attrs=_CELL, weights=_CELL_WEIGHTS),
    "GRU": Row(attrs={**_CELL, "linear_before_reset": ("reset_after", 0)}, weights=_CELL_WEIGHTS),
    "RNN": Row(attrs=_CELL, weights=_CELL_WEIGHTS),
    "PRelu": Row(weights={1: "alpha"}),
    "Gemm": Row(
        attrs={
            "transA": ("transA", 0),
            "transB": ("transB", 0),
            "alpha": ("alpha", 1.0),
            "beta": ("beta", 1.0),
        }
    ),
    "LeakyRelu": Row(attrs={"alpha": ("alpha", 0.01)}),
    "Elu": Row(attrs={"alpha": ("alpha", 1.0)}),
    "Celu": Row(attrs={"alpha": ("alpha", 1.0)}),
    "Selu": _PLAIN,
    "HardSigmoid": Row(attrs={"alpha": ("alpha", 0.2), "beta": ("beta", 0.5)}),
    "ThresholdedRelu": Row(attrs={"alpha": ("alpha", 1.0)}),
    "Gelu": Row(attrs={"approximate": ("approximate", "none")}),
    "Swish": _PLAIN,
    "Shrink": Row(attrs={"bias": ("bias", 0.0), "lambd": ("threshold", 0.5)}),
    "Softmax": _SOFT,
    "LogSoftmax": _SOFT,
    "Hardmax": _SOFT,
    "Clip": Row(
        attrs={"min": ("min", None), "max": ("max", None)},
        settings=((1, "min", "number"), (2, "max", "number")),
    ),
    "Flatten": Row(attrs={"axis": ("axis", 1)}),
    "Reshape": Row(
        attrs={"shape": ("shape", None), "allowzero": ("allowzero", 0)}, settings=((1, "shape", "ints"),)
    ),
    "Transpose": Row(attrs={"perm": ("perm", None)}),
    "Squeeze": Row(attrs={"axes": ("axes", None)}, settings=((1, "axes", "ints"),)),
    "Unsqueeze": Row(attrs={"axes": ("axes", None)}, settings=((1, "axes", "ints"),)),
    "Concat": Row(attrs={"axis": ("axis", 1)}),
    "Split": Row(
        attrs={"axis": ("axis", 0), "split": ("split", None), "num_outputs": ("num_outputs", None)},
        settings=((1, "split", "ints"),),
    ),
    "Slice": Row(
        attrs={"starts": ("starts", None), "ends": ("ends", None), "axes": ("axes", None)},
        settings=((1, "starts", "ints"), (2, "ends", "ints"), (3, "axes", "ints"), (4, "steps", "ints")),
    ),
    "Pad": Row(
        attrs={"mode": ("mode", "constant"), "pads": ("pads", None), "value": ("value", None)},
        settings=((1, "pads", "ints"), (2, "value", "number"), (3, "axes", "ints")),
    ),
    "Expand": Row(settings=((1, "shape", "ints"),)),
    "Tile": Row(settings=((1, "repeats", "ints"),)),
    "Gather": Row(attrs={"axis": ("axis", 0)}),
    "GatherElements": Row(attrs={"axis": ("axis", 0)}),
    "GatherND": Row(attrs={"batch_dims": ("batch_dims", 0)}),
    "ScatterElements": Row(attrs={"axis": ("axis", 0)}),
    "Scatter": Row("ScatterElements", attrs={"axis": ("axis", 0)}),
    "Resize": Row(attrs={"mode": ("mode", "nearest"), "axes": ("axes", None)}, fixed=_CHANNELS_FIRST),
    "Upsample": Row(
        "Resize", attrs={"mode": ("mode", "nearest"), "scales": ("scales", None)}, fixed=_CHANNELS_FIRST
    ),
    "DepthToSpace": Row(
        attrs={"blocksize": ("blocksize", None), "mode": ("mode", "DCR")}, fixed=_CHANNELS_FIRST
    ),
    "SpaceToDepth": Row(attrs={"blocksize": ("blocksize", None)}, fixed=_CHANNELS_FIRST),
    "Shape": Row(attrs={"start": ("start", 0), "end": ("end", None)}),
    "Trilu": Row(attrs={"upper": ("upper", 1)}, settings=((1, "k", "number"),)),
    "CumSum": Row(settings=((1, "axis", "number"),)),
    "TopK": Row(attrs={"axis": ("axis", -1), "k": ("k", None)}, settings=((1, "k", "number"),)),
    "ArgMax": _ARG,
    "ArgMin": _ARG,
    "OneHot": Row(attrs={"axis": ("axis", -1)}),
    "Cast": Row(attrs={"to": ("to", None)}),
    "EyeLike": Row(attrs={"dtype": ("dtype", None), "k": ("k", 0)}),
    "Einsum": Row(attrs={"equation": ("equation", "")}),
    "Mod": _PLAIN,
    "BitShift": Row(attrs={"direction": ("direction", None)}),
    "IsInf": _PLAIN,
    "Attention": Row(
        attrs={
            "is_causal": ("causal", 0),
            "scale": ("scale", None),
            "softcap": ("softcap", 0.0),
            "q_num_heads": ("q_num_heads", 0),
            "kv_num_heads": ("kv_num_heads", 0),
        }
    ),
    **dict.fromkeys(
        (
            "ReduceMean",
            "ReduceSum",
            "ReduceMax",
            "ReduceMin",
            "ReduceProd",
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceSumSquare",
        ),
        _REDUCE,
    ),
}
"""ONNX op → how it is said. An op that is not here keeps its name and its simple attributes."""

CONTRIB = {
    ("com.microsoft", "Gelu"): "Gelu",
    ("com.microsoft", "Pad"): "Pad",
    ("com.microsoft", "Inverse"): "Inverse",
}
"""Ops of other domains that mean what the catalogue's op of that name means, for one input."""

KEPT = frozenset({("com.microsoft", "MatMulNBits")})
"""Ops of other domains that the catalogue has under their own name, with their own attributes."""

_THREE = ("LSTM", "GRU", "RNN", "InstanceNormalization", "GroupNormalization", "Where", "Attention")
_TWO = (
    "Add", "Sub", "Mul", "Div", "Pow", "MatMul", "Gemm", "Gather", "GatherElements", "GatherND", "Conv",
    "ConvTranspose", "PRelu", "LayerNormalization", "RMSNormalization", "Expand", "Tile",
)  # fmt: skip
_ONE = (
    "Sigmoid", "Tanh", "Relu", "Softplus", "Softsign", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg",
    "Identity", "Max", "Min", "DequantizeLinear", "ConstantOfShape", "HardSwish", "Mish",
)  # fmt: skip
LEAST_INPUTS: Mapping[str, int] = {
    **dict.fromkeys((*ROWS, *_ONE), 1),
    **dict.fromkeys(_TWO, 2),
    **dict.fromkeys(_THREE, 3),
    "BatchNormalization": 5,
}
"""ONNX op → how many inputs a call must have; calls with fewer are damaged."""
