"""Every node as the catalogue wants it: known ops only, and no attribute that has its default."""

from __future__ import annotations

from dataclasses import replace

from archlint.formats.onnx.lift.bench import Bench
from archlint.graph import Attr


def finish(bench: Bench) -> None:
    """Makes Unknown what the catalogue does not have, and leaves defaults out."""
    from archlint.ops import TABLE

    for node in bench.nodes():
        op = TABLE.get(node.op)
        if op is None:
            bench.replace(node, replace(node, op="Unknown"))
            continue
        attrs = {key: value for key, value in node.attrs.items() if not _is_default(key, value, op.attrs)}
        if len(attrs) < len(node.attrs):
            bench.replace(node, replace(node, attrs=attrs))


def _is_default(key: str, value: Attr, defaults: object) -> bool:
    return isinstance(defaults, dict) and key in defaults and defaults[key] == value
