"""Op nodes: calls of functions that stand between the layers of a model."""
