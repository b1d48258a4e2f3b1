"""Quantised dtype policies and LoRA ranks of a layer's settings, applied to the params of its node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from archlint.formats.keras.call import Call
from archlint.formats.keras.lowbit import AMAX_HISTORY, PER_CHANNEL, STORED, Kernel, Policy
from archlint.formats.keras.raw import Raw
from archlint.graph import Param

Summed = tuple[str, tuple[int, ...], tuple[int | None, ...]]
"""Role of a kernel, the axes of it that are summed over, and per axis of its scales the kernel's axis."""

_ADAPTED = frozenset({"kernel", "embeddings"})
_NUMBER = re.compile(r"-?[0-9]{1,9}")


def policy_of(config: Raw) -> Policy | None:
    """The quantised policy of a layer's settings; None for a plain one."""
    stated = config["dtype"]
    if isinstance(stated.value, dict):
        stated = stated["config"]
    name = stated.value
    history = AMAX_HISTORY
    if isinstance(name, dict):
        name = name.get("mode") or name.get("name")
        history = stated["amax_history_length"].int(AMAX_HISTORY, low=0)
    if not isinstance(name, str):
        return None
    mode, *details = name.partition("_from_")[0].split("/")
    numbers = [int(text) for text in details if _NUMBER.fullmatch(text)]
    if mode not in STORED or len(numbers) != len(details):
        return None
    if mode == "int4":
        return Policy(mode, 4, numbers[-1] if numbers else PER_CHANNEL, _packs_inputs(config, bool(numbers)))
    block = numbers[-1] if numbers else PER_CHANNEL
    return Policy(mode, numbers[0] if len(numbers) > 1 else 8, block, history=history)


def _packs_inputs(config: Raw, has_block: bool) -> bool | None:
    """Keras 3.14 writes the block size with "int4"; a policy made by hand may leave it out there as well."""
    if has_block:
        return False
    stated = config["quantization_config"]
    if stated.is_null:
        return None if "quantization_config" in config else True
    return not (isinstance(stated["config"].value, dict) and "block_size" in stated["config"])


def as_stored(call: Call, *kernels: Summed) -> None:
    """Gives the node made last the tensors that its layer keeps under its dtype policy and LoRA rank.

    ``kernels`` are the role of a kernel, the axes of it that are summed over, and the axes of its scales.
    """
    policy = policy_of(call.config)
    rank = call.config["lora_rank"].int(0, low=0) if "lora_rank" in call.config else 0
    if policy is None and not rank:
        return
    node = call.builder.nodes[-1]
    params = {param.role: param for param in node.params}
    for role, reduced, scaled in kernels:
        param = params.get(role)
        axes = [axis for axis in (*reduced, *scaled) if axis is not None]
        if param is None or not param.shape or not reduced or max(axes) >= len(param.shape):
            continue
        kernel = Kernel(param, reduced, scaled)
        if policy is not None:
            params = _merged(params, role, tuple(STORED[policy.mode](kernel, policy)))
        if rank and role in _ADAPTED:
            params[role] = replace(params[role], trainable=False)
            params |= {param.role: param for param in _low_rank(kernel, rank, call.layer.trainable)}
    call.builder.set_params(tuple(params.values()))


def _merged(params: Mapping[str, Param], role: str, kept: Sequence[Param]) -> dict[str, Param]:
    """The params with a kernel replaced; what belongs to it stands behind its bias, as Keras stores it."""
    first, *more = kept
    after = role.replace("kernel", "bias")
    after = after if after in params else role
    found: dict[str, Param] = {}
    for name, param in params.items():
        found[name] = first if name == role else param
        if name == after:
            found |= {param.role: param for param in more}
    return found


def _low_rank(kernel: Kernel, rank: int, trainable: bool) -> Iterator[Param]:
    """LoRA's two factors. Source: Hu et al. 2021, arXiv:2106.09685; Keras keeps them in float32."""
    name = kernel.param.name.rpartition("/")[0]
    for suffix, shape in (("a", (*kernel.shape[:-1], rank)), ("b", (rank, kernel.shape[-1]))):
        role = f"lora_{kernel.param.role}_{suffix}"
        yield Param(f"{name}/{role}", role, shape, "float32", trainable)
