"""Every error that archlint raises for a user to see; one sentence each, with where and what to do."""

from __future__ import annotations


class ArchlintError(Exception):
    """Root of all errors that a user can cause."""


class ReadError(ArchlintError):
    """A model file that cannot be judged: which file, where in it, what is wrong and what to do.

    ``where`` is a place inside the file ("config.json: layer 'fc1'"), or "" for the file as a whole.
    """

    def __init__(self, path: str, where: str, what: str) -> None:
        super().__init__(f"{path}: {where + ': ' if where else ''}{what}")
        self.path = path
        self.where = where
        self.what = what


class TextError(ArchlintError):
    """A line of the text notation that does not parse."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


class RuleError(ArchlintError):
    """A rule file that does not load; the message carries ``file:line:col``, the line and a caret."""


class UsageError(ArchlintError):
    """Options or settings that cannot be carried out."""


class PatchError(ArchlintError):
    """A change that cannot be made: what stands in the way, and what would have to hold."""
