"""The serialised layer that the nodes of one address become, in the file's own dialect."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from archlint.dataclass import dataclass
from archlint.errors import PatchError
from archlint.formats.keras.activations import activation_name, op_of_activation
from archlint.formats.keras.builder import Builder
from archlint.formats.keras.call import Layer
from archlint.formats.keras.dialects import RENAMED
from archlint.formats.keras.models import layer_of
from archlint.formats.keras.raw import Raw
from archlint.formats.keras.start import kernel_start
from archlint.formats.keras.write.settings import Native, plain, refuse, say, value
from archlint.formats.keras.write.tree import Config
from archlint.graph import Node, Shape

CARRIED = (
    "activity_regularizer",
    "bias_initializer",
    "bias_regularizer",
    "kernel_initializer",
    "kernel_regularizer",
)
"""Settings that a layer hands on to one of another class in its place."""

_WEIGHTED = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})
_START = ("kernel_init", "kernel_l1", "kernel_l2")
_INNER = frozenset({"TimeDistributed", "Bidirectional"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the file writes layers: its Keras version, its keys, and the dtype that new layers get."""

    keras_major: int
    modules: bool
    registered: bool
    dtype: object


def dialect_of(layers: Sequence[Config], keras_major: int) -> Dialect:
    """The dialect of a model's layers."""
    dtypes = [e["config"].get("dtype") for e in layers if isinstance(e.get("config"), dict)]
    policies = [dtype for dtype in dtypes if isinstance(dtype, dict)]
    return Dialect(
        keras_major,
        any("module" in entry for entry in layers),
        any("registered_name" in entry for entry in layers),
        copy.deepcopy(next(iter(policies), next((dtype for dtype in dtypes if dtype), None))),
    )


@dataclass(frozen=True, slots=True)
class Site:
    """One layer that comes or changes: its name, its nodes now and before, its entry before.

    ``shape`` is the shape of what it reads, ``was`` what it read before.
    """

    name: str
    path: str
    nodes: tuple[Node, ...]
    old_nodes: tuple[Node, ...]
    old: Config | None
    shape: Shape
    was: Shape


def entry_of(site: Site, dialect: Dialect) -> Config:
    """The entry of a layer, without its ``inbound_nodes``.

    Raises:
        PatchError: no layer of Keras is these nodes.
    """
    main, function = _parts(site, site.nodes)
    if main is None:
        return _activation_alone(site, function, dialect)
    if site.old is not None and _same_layer(site, main):
        entry = copy.deepcopy(site.old)
        _adjust(site, entry, main, function, dialect)
        return entry
    return _fresh(site, main, function, dialect)


def _parts(site: Site, nodes: Sequence[Node]) -> tuple[Node | None, Node | None]:
    """The node that does the work, and the activation after it."""
    function = nodes[-1] if nodes[-1].name != site.path else None
    rest = nodes[: len(nodes) - (function is not None)]
    if function is not None and not function.name.startswith(f"{site.path}/"):
        raise refuse(function, f"a node of the layer '{site.path}' is named '{site.path}/…'")
    if len(rest) > 1:
        raise refuse(rest[0], f"the layer '{site.path}' would be several layers")
    return (rest[0] if rest else None), function


def _activation_alone(site: Site, function: Node | None, dialect: Dialect) -> Config:
    """A model of one layer keeps the name ``<layer>/<activation>``, which no single layer has."""
    assert function is not None
    inner = function.name.removeprefix(f"{site.path}/")
    cls, config = say(function, None if site.shape is None else len(site.shape))
    if "/" in inner or site.shape is None:
        raise refuse(function, "an activation of its own needs an input of known rank")
    key = "batch_shape" if dialect.keras_major >= 3 else "batch_input_shape"
    batch: Config = {key: dims(site.shape), "dtype": "float32", "name": f"{site.name}_in"}
    layers = [_wrapped("InputLayer", batch, dialect), _wrapped(cls, _common(inner, dialect, config), dialect)]
    entry = _wrapped("Sequential", {"name": site.name, "layers": layers}, dialect)
    if dialect.modules:
        entry["module"] = "keras"
    return entry


def dims(shape: Sequence[object]) -> list[int | None]:
    """A shape as JSON has it: what is no number is free."""
    return [dim if isinstance(dim, int) else None for dim in shape]


def _wrapped(cls: str, config: Config, dialect: Dialect) -> Config:
    entry: Config = {"module": "keras.layers"} if dialect.modules else {}
    entry |= {"class_name": cls, "config": config}
    if dialect.registered:
        entry["registered_name"] = None
    return entry


def _common(name: str, dialect: Dialect, config: Config) -> Config:
    dtype: Config = {} if dialect.dtype is None else {"dtype": copy.deepcopy(dialect.dtype)}
    return {"name": name, "trainable": True, **dtype, **config}


def _layer(entry: Config, dialect: Dialect) -> Layer:
    return layer_of(Raw(entry, ""), Builder("", dialect.keras_major), ())


def _same_layer(site: Site, main: Node) -> bool:
    """Whether the layer stays what it is and only its settings change."""
    assert site.old is not None
    was = _parts(site, site.old_nodes)[0] if len(site.old_nodes) <= 2 else None
    if was is None or was.op != main.op:
        return False
    if was.origin.native == "TimeDistributed" and not main.origin.native:
        return False
    return was.op != "Conv" or _class(was, site.was) == _class(main, site.shape)


def _class(node: Node, shape: Shape) -> str:
    return say(_bare(node), None if shape is None else len(shape))[0]


def _bare(node: Node) -> Node:
    attrs = {key: item for key, item in node.attrs.items() if key != "time_distributed"}
    return Node(node.name, node.op, node.inputs, node.outputs, attrs, node.params, node.bodies, node.origin)


def _adjust(site: Site, entry: Config, main: Node, function: Node | None, dialect: Dialect) -> None:
    """Changes the settings of a layer that stays."""
    was, was_function = _parts(site, site.old_nodes)
    assert was is not None
    layers = _holders(entry)
    for holder in layers:
        config = holder["config"]
        changed = _changes(was, main, site, RENAMED.get(str(holder["class_name"]), str(holder["class_name"])))
        if changed and dialect.keras_major < 2:
            raise refuse(main, "settings in files of Keras 1 are not changed; save the model with Keras 3")
        _refuse_constraints(main, config, bool(changed))
        config |= changed
        if _called(function) != _called(was_function):
            config["activation"] = _function_name(function, site, dialect)
        config |= _start(main, config)


def _holders(entry: Config) -> list[Config]:
    """The layers whose settings are the node's: the layer itself, or those that a wrapper holds."""
    if entry["class_name"] not in _INNER:
        return [entry]
    inner = [entry["config"].get(key) for key in ("layer", "backward_layer")]
    return [holder for one in inner if isinstance(one, dict) for holder in _holders(one)]


def _changes(was: Node, now: Node, site: Site, cls: str) -> Config:
    """The settings that differ, by what Keras calls them."""
    different = {
        key
        for key in was.attrs.keys() | now.attrs.keys()
        if was.attrs.get(key) != now.attrs.get(key) and key not in _START
    }
    if not different:
        return {}
    before, after = _try(was, site.was), _try(now, site.shape)
    if before is not None and after is not None and before[0] == after[0] == cls:
        return {key: item for key, item in after[1].items() if item != before[1].get(key)}
    return {key: plain(value(now, key)) for key in sorted(different)}


def _try(node: Node, shape: Shape) -> Native | None:
    try:
        return say(_bare(node), None if shape is None else len(shape))
    except PatchError:
        return None


def _called(function: Node | None) -> object:
    return None if function is None else (function.name, function.op, dict(function.attrs))


def _function_name(function: Node | None, site: Site, dialect: Dialect) -> str:
    """The name of an activation inside a layer."""
    if function is None:
        return "linear"
    name = function.name.removeprefix(f"{site.path}/")
    known = op_of_activation(name, dialect.keras_major)
    if known is None or known[0] != function.op:
        raise refuse(function, f"Keras has no activation '{name}' that is this")
    return name


def _start(main: Node, config: Config) -> Config:
    """Initialiser and regulariser of the kernel as the node states them."""
    if main.op not in ("Conv", "Dense"):
        return {}
    stated = kernel_start(Raw(config, ""))
    wanted = {key: main.attrs[key] for key in _START if key in main.attrs}
    if stated == wanted:
        return {}
    found: Config = {"kernel_initializer": wanted.get("kernel_init", "glorot_uniform")}
    pulls = {key: wanted.get(f"kernel_{key}", 0.0) for key in ("l1", "l2")}
    found["kernel_regularizer"] = {"class_name": "L1L2", "config": pulls} if any(pulls.values()) else None
    return found


def _refuse_constraints(main: Node, config: Mapping[str, object], matters: bool) -> None:
    held = next((key for key, item in config.items() if key.endswith("_constraint") and item), None)
    if matters and held is not None:
        raise refuse(main, f"the layer has a {held}, which may not hold for other weights")
    if matters and config.get("lora_rank"):
        raise refuse(main, "the layer has LoRA factors, which would no longer fit")


def _fresh(site: Site, main: Node, function: Node | None, dialect: Dialect) -> Config:
    """The entry of a layer of another class than before, or of a new one."""
    if dialect.keras_major < 2:
        raise refuse(main, "layers are not added to files of Keras 1; save the model with Keras 3")
    cls, settings = say(main, None if site.shape is None else len(site.shape))
    if cls == "LeakyReLU" and dialect.keras_major < 3:
        settings = {"alpha": settings["negative_slope"]}
    config = _common(site.name, dialect, settings)
    old = {} if site.old is None else _innermost(site.old)["config"]
    _refuse_constraints(main, old, True)
    config |= {key: copy.deepcopy(old[key]) for key in ("trainable", "dtype") if key in old}
    if cls in _WEIGHTED:
        config |= {key: copy.deepcopy(old[key]) for key in CARRIED if key in old}
        config |= _start(main, config)
    if function is not None or cls in _WEIGHTED:
        config["activation"] = _carried_function(site, old, function, dialect)
    return _wrapped(cls, config, dialect)


def _carried_function(site: Site, old: Config, function: Node | None, dialect: Dialect) -> object:
    """The activation of the layer before, in the same words, when it stays."""
    was = site.old_nodes[-1] if site.old_nodes and site.old_nodes[-1].name != site.path else None
    stated: object = old.get("activation")
    stays = function is not None and _called(function) == _called(was)
    if stays and activation_name(Raw(stated, ""))[0] != "linear":
        return copy.deepcopy(stated)
    return _function_name(function, site, dialect)


def _innermost(entry: Config) -> Config:
    held = _holders(entry)
    return held[0] if held else entry
