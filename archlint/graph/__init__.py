"""The intermediate representation: types, text notation, validation. Standard library only."""

from archlint.graph.text import parse, render
from archlint.graph.types import (
    Attr,
    Dim,
    Graph,
    Hazard,
    Node,
    Origin,
    Param,
    Setting,
    Shape,
    TensorType,
    Training,
)
from archlint.graph.validate import validate

__all__ = [
    "Attr",
    "Dim",
    "Graph",
    "Hazard",
    "Node",
    "Origin",
    "Param",
    "Setting",
    "Shape",
    "TensorType",
    "Training",
    "parse",
    "render",
    "validate",
]
