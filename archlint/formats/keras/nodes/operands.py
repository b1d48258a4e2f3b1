"""The arguments of an op node, in one form for Keras 3's ops and for TensorFlow's functions in Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archlint.dataclass import dataclass
from archlint.formats.keras.arguments import parse_arg
from archlint.formats.keras.builder import Val
from archlint.formats.keras.call import Arg, Call, Layer, shape_of_numbers, values_of
from archlint.graph import Attr, Shape

_SAME_NAME = """abs argmax argmin ceil cos cosh cumsum divide equal erf exp expm1 floor greater less log log1p
    maximum minimum mod multiply negative reciprocal round rsqrt sigmoid sign sin sinh softplus softsign sqrt
    square subtract tan tanh"""

TF_FUNCTIONS: Mapping[str, str] = {
    "__operators__.add": "Add",
    "__operators__.getitem": "GetItem",
    "__operators__.ne": "NotEqual",
    "add": "Add",
    "broadcast_to": "BroadcastTo",
    "cast": "Cast",
    "clip_by_value": "Clip",
    "compat.v1.gather": "Take",
    "compat.v1.norm": "Norm",
    "compat.v1.pad": "Pad",
    "compat.v1.squeeze": "Squeeze",
    "compat.v1.shape": "Shape",
    "compat.v1.transpose": "Transpose",
    "concat": "Concatenate",
    "expand_dims": "ExpandDims",
    "gather": "Take",
    "identity": "Copy",
    "image.resize": "Resize",
    "linalg.matmul": "Matmul",
    "nn.elu": "Elu",
    "nn.gelu": "Gelu",
    "nn.leaky_relu": "LeakyRelu",
    "nn.log_softmax": "LogSoftmax",
    "nn.log_softmax_v2": "LogSoftmax",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.selu": "Selu",
    "nn.sigmoid": "Sigmoid",
    "nn.silu": "Silu",
    "nn.softmax": "Softmax",
    "nn.softplus": "Softplus",
    "nn.softsign": "Softsign",
    "nn.swish": "Silu",
    "nn.tanh": "Tanh",
    "one_hot": "OneHot",
    "ones_like": "OnesLike",
    "pad": "Pad",
    "repeat": "Repeat",
    "reshape": "Reshape",
    "reverse": "Flip",
    "shape": "Shape",
    "split": "Split",
    "squeeze": "Squeeze",
    "stack": "Stack",
    "stop_gradient": "StopGradient",
    "tile": "Tile",
    "transpose": "Transpose",
    "unstack": "Unstack",
    "where": "Where",
    "zeros_like": "ZerosLike",
    **{
        f"math.reduce_{name}": name.capitalize()
        for name in ("max", "mean", "min", "prod", "sum", "std", "any")
    },
    **{f"reduce_{name}": name.capitalize() for name in ("max", "mean", "min", "prod", "sum")},
    "math.reduce_variance": "Var",
    "math.reduce_logsumexp": "Logsumexp",
    **{f"math.{name}": name.capitalize() for name in _SAME_NAME.split()},
    "math.add": "Add",
    "math.add_n": "AddN",
    "math.divide_no_nan": "DivideNoNan",
    "math.greater_equal": "GreaterEqual",
    "math.less_equal": "LessEqual",
    "math.logical_and": "LogicalAnd",
    "math.logical_not": "LogicalNot",
    "math.logical_or": "LogicalOr",
    "math.not_equal": "NotEqual",
    "math.pow": "Power",
    "math.top_k": "TopK",
    "math.scalar_mul": "Multiply",
    "math.truediv": "Divide",
    "math.floordiv": "FloorDivide",
}
"""Name of a function in a TFOpLambda → class of ``keras.ops``. Source: tf_export names of TensorFlow 2."""


TF_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"})
"""Layers by which Keras 2 wraps a call of a TensorFlow function, or a node of its graph."""

_SAME_NODE = """Abs Ceil Cos Cosh Equal Erf Exp Expm1 Floor Greater GreaterEqual Less LessEqual Log Log1p
    LogicalAnd LogicalNot LogicalOr Max Maximum Mean Min Minimum Mod Multiply Negative NotEqual OneHot Pad
    Prod Reciprocal Relu Relu6 Reshape Round Rsqrt Shape Sigmoid Sign Sin Sinh Softmax Softplus Softsign
    SpaceToDepth DepthToSpace Split Sqrt Square Squeeze StopGradient Sum Tan Tanh Tile Transpose Cast
    BroadcastTo Cumsum ExpandDims Elu Selu LeakyRelu LogSoftmax AddN Einsum"""

TF_NODES: Mapping[str, str] = {
    **{name: name for name in _SAME_NODE.split()},
    "AddV2": "Add",
    "Add": "Add",
    "ArgMax": "Argmax",
    "ArgMin": "Argmin",
    "BatchMatMul": "Matmul",
    "BatchMatMulV2": "Matmul",
    "BiasAdd": "Add",
    "ConcatV2": "Concatenate",
    "DivNoNan": "DivideNoNan",
    "FloorDiv": "FloorDivide",
    "FloorMod": "Mod",
    "GatherV2": "Take",
    "Identity": "Copy",
    "MatMul": "Matmul",
    "Mul": "Multiply",
    "Neg": "Negative",
    "Pack": "Stack",
    "PadV2": "Pad",
    "Pow": "Power",
    "RealDiv": "Divide",
    "ResizeBilinear": "Resize",
    "ResizeNearestNeighbor": "Resize",
    "SelectV2": "Where",
    "StridedSlice": "GetItem",
    "Sub": "Subtract",
    "Unpack": "Unstack",
}
"""Op of a TensorFlow graph's node → class of ``keras.ops``."""


def is_op(layer: Layer) -> bool:
    """Whether a layer is an op and not a layer class of the same name.

    The ``.h5`` files of Keras 3 name no modules; there ops lack what the settings of layers begin with. So
    do layers of a class of the user's own, which is registered under a name.
    """
    from archlint.formats.keras.layers import LAYERS  # whose translators take calls

    module = layer.raw["module"].text("")
    if layer.custom and not module:
        return False
    if module or layer.cls in TF_LAYERS or not isinstance(layer.config.value, dict):
        return ".ops." in module or layer.cls in TF_LAYERS
    calls = layer.raw["inbound_nodes"].value
    modern = isinstance(calls, list) and bool(calls) and isinstance(calls[0], dict) and "args" in calls[0]
    settings = layer.config.value
    return modern and "trainable" not in settings and ("dtype" not in settings or layer.cls not in LAYERS)


@dataclass(frozen=True, slots=True)
class OpCall:
    """One call of an op: ``name`` is the class in ``keras.ops``, ``native`` what the file calls it."""

    call: Call
    name: str
    native: str
    settings: Mapping[str, Arg]

    @classmethod
    def of(cls, call: Call) -> OpCall:
        """The op call that a call of an op node stands for."""
        config = call.config
        if call.layer.cls in TF_LAYERS:
            native = config["function"].text("")
            return cls(call, TF_FUNCTIONS.get(native, native), native, dict(call.kwargs))
        stated = {key: parse_arg(raw) for key, raw in config.members() if key not in ("name", "trainable")}
        return cls(call, call.layer.cls, call.layer.cls, {**stated, **call.kwargs})

    def operand(self, index: int, *names: str) -> Arg:
        """An argument by place or by one of its names; None when it is left out."""
        if index < len(self.call.args):
            return self.call.args[index]
        return next((self.settings[name] for name in names if name in self.settings), None)

    def setting(self, index: int, *names: str) -> Arg:
        """A setting: by one of its names, else by its place among the arguments of the call."""
        for name in names:
            if self.settings.get(name) is not None:
                return self.settings[name]
        return self.call.args[index] if 0 < index < len(self.call.args) else None

    def sources(self, *names: str) -> list[Val]:
        """The values of the first argument."""
        return values_of(self.operand(0, *names)) or self.call.all_inputs()

    def value(self, arg: Arg, part: str) -> Val | None:
        """An argument as a value: itself, or a constant; None when it is neither."""
        if isinstance(arg, Val):
            return arg
        if isinstance(arg, int | float) or (isinstance(arg, list) and arg and not values_of(arg)):
            return self.call.constant(arg, part)
        return None

    def shape(self) -> Shape:
        """Shape of the first value."""
        found = self.sources("x")
        return self.call.tensor(found[0]).shape if found else None

    def shape_of(self, index: int, *names: str) -> Shape:
        """Shape of an argument: of a value, a number, or a list of numbers."""
        arg = self.operand(index, *names)
        if isinstance(arg, Val):
            return self.call.tensor(arg).shape
        return None if arg is None or values_of(arg) else shape_of_numbers(arg)

    def rank(self) -> int | None:
        """Number of axes of the first value."""
        shape = self.shape()
        return None if shape is None else len(shape)

    def node(
        self, op: str, inputs: list[Val], attrs: Mapping[str, Attr] | None = None, outputs: int = 1
    ) -> list[Val]:
        """Adds the node of this op call."""
        return self.call.node(op, inputs, attrs, outputs=outputs)


OpTranslator = Callable[[OpCall], "list[Val] | None"]
"""Adds the nodes of one op call and gives its values; None when it does not understand the arguments."""


def whole(arg: Arg) -> int | None:
    """A whole number that is no bool; None for anything else."""
    return arg if isinstance(arg, int) and not isinstance(arg, bool) else None


def wholes(arg: Arg) -> tuple[int, ...] | None:
    """Whole numbers of a list, or a single one; None for anything else."""
    if isinstance(arg, int) and not isinstance(arg, bool):
        return (arg,)
    if not isinstance(arg, list | tuple):
        return None
    found = tuple(item for item in arg if isinstance(item, int) and not isinstance(item, bool))
    return found if len(found) == len(arg) else None
