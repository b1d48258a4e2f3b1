"""What every reader takes, and the bounds that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archlint.dataclass import dataclass
from archlint.graph import Edit, Graph, Hazard

MAX_TEXT_BYTES = 256 * 2**20
"""Largest architecture text (JSON) or weight-free ONNX structure that is read; the largest seen is 0.7 MB."""

MAX_NODES = 2_000_000
"""Most nodes a graph may have once functions and nested models are inlined."""


MAX_HAZARDS = 200
"""Most hazards that are told of one file; a file with more is no better known by all of them."""

_PROGRAMS: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "an ELF program"),
    (b"MZ", "a Windows program"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program"),
    (b"\xce\xfa\xed\xfe", "a Mach-O program"),
    (b"\xca\xfe\xba\xbe", "a Mach-O or Java program"),
    (b"#!", "a script"),
    *(
        (b"\x80" + bytes([protocol, opcode]), "a Python pickle")
        for protocol in (2, 3)
        for opcode in b"}]c(X)"
    ),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\x80\x05\x95", "a Python pickle"),
    (b"PK\x03\x04", "a zip archive"),
)
"""First bytes → what they begin. Pickles of protocol 2 and 3 by their usual second opcode, 4 and 5 by their
frame."""


def foreign_kind(head: bytes) -> str:
    """What kind of program or pickle starts with these bytes; "" when none that is known."""
    return next((kind for magic, kind in _PROGRAMS if head.startswith(magic)), "")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file found and sniffed by its content, not yet read. ``path`` is as the user wrote it.

    ``format`` is a key of ``archlint.formats.READERS``: "keras" (zip), "keras-folder", "keras-h5",
    "keras-json", "onnx".
    """

    path: str
    format: str
    size_bytes: int


Reader = Callable[[ModelFile], Graph]
"""Reads structure, never weights, and runs nothing.

Raises:
    ReadError: the file cannot be judged; says where in it, what was expected and what to do.
"""

Scanner = Callable[[ModelFile], tuple[Hazard, ...]]
"""Looks for hazards in a file that a reader refused, as far as its structure goes; runs and follows
nothing."""

Prove = Callable[[str], None]
"""Looks at a patched file that is written but not in its place. Raises PatchError: it is not to go there."""

Writer = Callable[[ModelFile, Graph, Sequence[Edit], str, Prove | None], None]
"""Writes what edits of the graph of a file make of it to a path, reads it back, and leaves nothing behind
when that is not the graph that was asked for.

Raises:
    PatchError: the format cannot say it; says what.
"""
