"""The intermediate representation: types, text notation, validation. Standard library only."""

from archlint.graph.edits import (
    OVERRIDABLE,
    Edit,
    Made,
    Seal,
    SetInput,
    SetTraining,
    Splice,
    all_of_stored,
    apply,
    made_by,
    of_stored,
    skeleton,
)
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
    "OVERRIDABLE",
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
    "Seal",
    "SetInput",
    "SetTraining",
    "Setting",
    "Shape",
    "Splice",
    "TensorType",
    "Training",
    "Weights",
    "all_of_stored",
    "apply",
    "made_by",
    "of_stored",
    "parse",
    "render",
    "skeleton",
    "validate",
]
