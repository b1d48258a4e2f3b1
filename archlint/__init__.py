"""A linter for saved neural networks that reads them without running them."""

__version__ = "0.1.0"
