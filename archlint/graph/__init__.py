"""The intermediate representation: types, text notation, validation. Standard library only."""

from archlint.graph.edits import Edit, Made, SetInput, SetTraining, Splice, apply, skeleton
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
from archlint.graph.weights import Array, Mismatch, Weights

__all__ = [
    "Array",
    "Attr",
    "Dim",
    "Edit",
    "Graph",
    "Hazard",
    "Made",
    "Mismatch",
    "Node",
    "Origin",
    "Param",
    "SetInput",
    "SetTraining",
    "Setting",
    "Shape",
    "Splice",
    "TensorType",
    "Training",
    "Weights",
    "apply",
    "parse",
    "render",
    "skeleton",
    "validate",
]
