"""What is known of the places where a model may be meant to run: a YAML file per target, dated and sourced.

Each ``<name>.yaml`` here says what one target cannot do, and how that is known. Only what a source states or
a run has shown stands there; a target that says nothing of an operator makes no rule speak.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from archlint.dataclass import dataclass
from archlint.errors import UsageError

TARGETS = ("coreml", "fp16", "gpu", "ort-mobile", "ort-web", "tensorrt", "tflite")
"""Names of the targets, as ``--target`` takes them."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What happens to an operator that a target cannot run; ``open_batch``: only while the batch is open."""

    because: str
    open_batch: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One target. ``checked`` is the day on which its facts were last compared with ``sources``.

    ``opset`` and ``ir_version`` are the lowest and highest that it loads, where that is known.
    ``unsupported`` maps a format ("onnx", "keras") to native operators or layer classes; ``refuses`` says
    whether one of them keeps the whole model from running.
    """

    name: str
    title: str
    checked: str
    sources: tuple[str, ...]
    opset: tuple[int, int] | None
    ir_version: tuple[int, int] | None
    refuses: bool
    unsupported: Mapping[str, Mapping[str, Limit]]


@cache
def target(name: str) -> Target:
    """The facts of one target, read once.

    Raises: UsageError: there is none of that name.
    """
    if name not in TARGETS:
        raise UsageError(f"there is no target '{name}'; the targets are {', '.join(TARGETS)}")
    import yaml

    path = Path(__file__).parent / f"{name}.yaml"
    data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    bounds = {key: (row["min"], row["max"]) for key, row in data.items() if key in ("opset", "ir_version")}
    return Target(
        name=name,
        title=data["title"],
        checked=str(data["checked"]),
        sources=tuple(data["sources"]),
        opset=bounds.get("opset"),
        ir_version=bounds.get("ir_version"),
        refuses=data.get("refuses", False),
        unsupported={
            format_: {
                op: Limit(group["because"], group.get("open_batch", False))
                for group in groups
                for op in group["ops"]
            }
            for format_, groups in data.get("unsupported", {}).items()
        },
    )
