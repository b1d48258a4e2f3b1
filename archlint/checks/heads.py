"""What stands between the last feature map and the outputs: flattening, pooling and dense layers."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod
from typing import TYPE_CHECKING

from archlint.checks import Match, Unsure, check, maps
from archlint.dataclass import dataclass
from archlint.graph import Node
from archlint.ops import attr, has_trait

if TYPE_CHECKING:
    from archlint.facts import Facts


@check(
    nodes={"flatten": "the node that flattens a map", "dense": "the dense layer that reads all of it"},
    values={
        "positions": "pixels of the map",
        "map": "spatial lengths of the map",
        "axes": "how many spatial axes it has",
        "channels": "its channels",
        "seen": "pixels of the image that a unit of the map sees, where it sees most; 0 when not known",
        "shortest": "length of the shortest spatial axis of the image; 0 when not known",
        "task": "what the head does: classification, regression or, when neither is known, other",
        "embeds": "whether it makes a vector that is normalised and not activated, as face embeddings are",
        "per_position": "whether the dense layer has about one unit per pixel, as policies on boards have",
        "pooled": "parameters of the model with global pooling in place of the flattening",
        "pooled_macs": "multiply-accumulates that this saves",
        "direct": "parameters with global pooling straight into the last dense layer; 0 if that is the first",
        "direct_macs": "multiply-accumulates that this saves",
        "classifier": "name of the last dense layer",
    },
)
def flatten_into_dense(facts: Facts) -> Iterator[Match | Unsure]:
    """Dense layers that read a flattened map of a convolutional trunk, with what pooling would leave."""
    for flatten in facts.graph.nodes:
        if flatten.op != "Flatten" or not _is_wired(flatten) or not facts.conv_upstream(flatten):
            continue
        size, channels = maps.map_size(facts, flatten), maps.map_channels(facts, flatten)
        if size is None:
            continue
        for dense, norms in first_dense(facts, flatten):
            known = [length for length in size if length is not None]
            if len(known) < len(size) or channels is None:
                yield Unsure(flatten, "the size of the map is unknown")
            elif prod(known) >= 2:
                yield _flattened(facts, _Flattened(flatten, dense, norms, tuple(known), channels))


@dataclass(frozen=True, slots=True)
class _Flattened:
    flatten: Node
    dense: Node
    norms: tuple[Node, ...]
    size: tuple[int, ...]
    channels: int


def first_dense(facts: Facts, flatten: Node) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """The dense layers that read a flattened map, each with the norms that stand before it."""
    waiting: list[tuple[str, tuple[Node, ...]]] = [(flatten.outputs[0], ())]
    for value, norms in waiting:
        for node in filter(_is_wired, facts.graph.consumers.get(value, ())):
            if node.op == "Dense" and node.inputs[0] == value:
                yield node, norms
            elif node.op == "BatchNormalization":
                waiting.append((node.outputs[0], (*norms, node)))
            elif len(node.inputs) == 1 and (maps.keeps_values(node) or has_trait(node, "activation")):
                waiting.append((node.outputs[0], norms))


def _flattened(facts: Facts, found: _Flattened) -> Match | Unsure:
    dense, positions = found.dense, prod(found.size)
    units = maps.out_channels(facts, dense)
    total = facts.params if facts.params_exact else None
    held, work = facts.params_of(dense), facts.macs_of(dense)
    spread = [facts.params_of(norm) for norm in found.norms]
    if units is None or total is None or held is None or work is None or None in spread:
        return Unsure(dense, "the parameters of the model are unknown")
    bias = units if dense.param("bias") is not None else 0
    norms = sum((count or 0) - (count or 0) // positions for count in spread)
    head = facts.head(dense)
    direct, direct_macs, classifier = _direct(facts, found, total)
    seen, shortest = sight(facts, found.flatten.inputs[0]) or (0, 0)
    return Match(
        {"flatten": found.flatten, "dense": dense},
        {
            "positions": positions,
            "map": found.size,
            "axes": len(found.size),
            "channels": found.channels,
            "seen": seen,
            "shortest": shortest,
            "task": head.task or "other",
            "embeds": units <= MAX_EMBEDDING and _is_embedding(facts, dense),
            "per_position": positions >= 25 and abs(units - positions) <= 2,
            "pooled": total - norms - held + found.channels * units + bias,
            "pooled_macs": work - found.channels * units,
            "direct": direct,
            "direct_macs": direct_macs,
            "classifier": classifier,
        },
    )


MAX_EMBEDDING = 1024
"""Widest embedding in use: 512 in ArcFace (arXiv:1801.07698), 1024 in some of its kin."""


def _is_embedding(facts: Facts, dense: Node) -> bool:
    """Whether a norm, and no activation, stands between a dense layer and the next layer or the output."""
    normed = False
    for node in after(facts, dense):
        if has_trait(node, "norm"):
            normed = True
        elif has_trait(node, "activation"):
            return False
        elif has_trait(node, "learned") or not is_plain(node):
            break
    return normed


def _direct(facts: Facts, found: _Flattened, total: int) -> tuple[int, int, str]:
    """Parameters left, MACs saved and the dense layer that pooling would feed; zeros if it is the first."""
    chain = [found.dense, *after(facts, found.dense)]
    last = next((node for node in reversed(chain) if node.op == "Dense"), found.dense)
    part = [*found.norms, *chain[: chain.index(last) + 1]]
    units = maps.out_channels(facts, last)
    params = [facts.params_of(node) for node in part]
    work = [facts.macs_of(node) for node in part]
    shared = any(maps.is_shared(facts, node) for node in part)
    if last is found.dense or units is None or None in params or None in work or shared:
        return 0, 0, last.name
    bias = units if last.param("bias") is not None else 0
    left = total - sum(count or 0 for count in params) + found.channels * units + bias
    return left, sum(count or 0 for count in work) - found.channels * units, last.name


def sight(facts: Facts, value: str) -> tuple[int, int] | None:
    """Pixels that an element sees at most along an axis, and the shortest axis; None when not known."""
    field = facts.receptive_field(value)
    shape = facts.shape(field.input) if field else None
    lengths = [shape[axis] for axis in field.axes] if field and shape else []
    known = [length for length in lengths if isinstance(length, int)]
    if field is None or not known or len(known) < len(lengths) or inf in field.largest:
        return None
    return int(max(field.largest)), min(known)


def after(facts: Facts, node: Node) -> list[Node]:
    """The nodes that follow one, each the only reader of the one before, up to an output of the model."""
    chain: list[Node] = []
    value = node.outputs[0]
    while not facts.reaches_output(value):
        reader = facts.single_user(value)
        if reader is None or not reader.outputs:
            break
        chain.append(reader)
        value = reader.outputs[0]
    return chain


MIN_EMBEDDING = 32
"""Narrowest projection head that is taken for one; SimCLR's has 128 (arXiv:2002.05709)."""


@check(
    nodes={"pool": "the global pool", "dense": "the largest hidden dense layer behind it"},
    values={
        "hidden": "parameters of all hidden dense layers there",
        "count": "how many these are",
        "embeds": "whether the chain ends in a vector that no loss and no activation gives a meaning",
    },
)
def dense_after_pool(facts: Facts) -> Iterator[Match | Unsure]:
    """Global pools whose chain to an output has dense layers besides the last one."""
    for pool in facts.graph.nodes:
        if not has_trait(pool, "global_pool") or not _is_wired(pool) or not facts.conv_upstream(pool):
            continue
        chain = after(facts, pool)
        if (
            not chain
            or not facts.reaches_output(chain[-1].outputs[0])
            or any(not is_plain(node) for node in chain)
        ):
            continue
        hidden = [node for node in chain if node.op == "Dense"][:-1]
        held = [facts.params_of(node) for node in hidden]
        known = [count for count in held if count is not None]
        if len(known) < len(held):
            yield Unsure(pool, "the parameters of the dense layers behind it are unknown")
        elif hidden:
            largest = hidden[known.index(max(known))]
            end = facts.head(pool)
            embeds = end.kind == "linear" and end.task is None and (end.width or 0) >= MIN_EMBEDDING
            values = {"hidden": sum(known), "count": len(hidden), "embeds": embeds}
            yield Match({"pool": pool, "dense": largest}, values)


def _is_wired(node: Node) -> bool:
    return bool(node.inputs and node.outputs)


def is_plain(node: Node) -> bool:
    """Whether a node of a head is a dense layer or acts on each feature by itself."""
    plain = ("activation", "random", "transparent", "cast", "reshaping")
    return node.op in ("Dense", "BatchNormalization") or any(has_trait(node, trait) for trait in plain)


@check(
    nodes={"pool": "the pool whose window is the whole map"},
    values={"map": "spatial lengths of the map"},
)
def full_map_pools(facts: Facts) -> Iterator[Match | Unsure]:
    """Pools of a fixed window that is just as large as the map, in front of a flattening."""
    for pool in facts.graph.nodes:
        if pool.op not in ("AveragePool", "MaxPool") or not _is_wired(pool):
            continue
        size, window = maps.map_size(facts, pool), maps.reach(facts, pool)
        if size is None or window is None or None in size or size != window or prod(n or 0 for n in size) < 4:
            continue
        padding = attr(pool, "padding")
        padded = padding != "valid" and padding != ((0, 0),) * len(size)
        if not padded and _is_flattened(facts, pool):
            yield Match({"pool": pool}, {"map": size})


def _is_flattened(facts: Facts, pool: Node) -> bool:
    value = pool.outputs[0]
    for _ in range(8):
        reader = facts.single_user(value)
        if reader is None:
            return False
        if reader.op in ("Flatten", "Squeeze", "Reshape"):
            return True
        if not (maps.keeps_values(reader) or has_trait(reader, "activation")):
            return False
        value = reader.outputs[0]
    return False
