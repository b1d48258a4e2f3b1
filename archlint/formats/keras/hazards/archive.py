"""The members of a ``.keras`` archive: names that leave it, sizes that explode, files that are no model."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator

from archlint.formats.base import foreign_kind
from archlint.formats.keras.hazards.config import leaving, shown
from archlint.graph import Attr, Hazard

BOMB_BYTES, BOMB_RATIO = 256 * 2**20, 100
"""A member that unpacks to more than this, and to more than 100 times what is stored, is a bomb.

Source: the bounds of keras/src/saving/saving_lib.py (3.15.1); deflate reaches 1032, weights of floats about
1.1.
"""

_PROGRAMS = re.compile(
    r"\.(py|pyc|pyd|so(\.\d+)*|dll|dylib|exe|com|sh|bash|bat|cmd|ps1|vbs|js|jar|class|pkl|pickle|pt|pth|joblib|dill)$",
    re.IGNORECASE,
)
_OWN = re.compile(r"(config|metadata|model\.weights)\.json|(model\.weights|model_\d+\.weights)\.(h5|npz)")
_END = b"PK\x05\x06"
_END_BYTES, _LONGEST_COMMENT = 22, 65_535
_MAX_MEMBERS_OPENED = 4096


def archive_hazards(path: str) -> Iterator[Hazard]:
    """The hazards of a zip archive, from its directory; at most eight bytes of a member are looked at."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            yield from _directory(members)
            strangers = [
                info
                for info in members
                if not _OWN.fullmatch(info.filename) and not info.filename.endswith("/")
            ]
            yield from _strangers(archive, strangers)
        yield from _after_the_end(path)
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return  # a damaged archive is a row of its own: the reader says what is wrong with it


def _directory(members: list[zipfile.ZipInfo]) -> Iterator[Hazard]:
    counts = Counter(info.filename for info in members)
    folded = Counter(name.casefold() for name in counts)
    told: set[str] = set()
    for info in members:
        name = info.filename
        for how in _oddities(info, counts[name], folded[name.casefold()]):
            if (key := f"{how} {name.casefold()}") not in told:
                told.add(key)
                yield Hazard("archive-member", shown(name), {"subject": shown(name), "how": how})
        if info.file_size > max(BOMB_BYTES, BOMB_RATIO * info.compress_size):
            sizes = {"stated": info.file_size, "stored": info.compress_size}
            yield Hazard("size-bomb", shown(name), {"subject": shown(name), "how": "unpacks to", **sizes})


def _oddities(info: zipfile.ZipInfo, same: int, alike: int) -> Iterator[str]:
    how = leaving(info.filename) or leaving(info.orig_filename)
    if how:
        yield f"its name is {how}"
    if stat.S_ISLNK(info.external_attr >> 16):
        yield "it is a link"
    if info.flag_bits & 0x1:
        yield "it is encrypted"
    if same > 1:
        yield f"{same} members have this name"
    elif alike > 1:
        yield "another member's name differs only in upper and lower case"


def _strangers(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[Hazard]:
    for at, info in enumerate(members):
        match = _PROGRAMS.search(info.filename)
        kind = f"a file named {match.group().lower()}" if match else ""
        if not kind and at < _MAX_MEMBERS_OPENED and info.file_size and not info.flag_bits & 0x1:
            kind = foreign_kind(_head(archive, info))
        if kind:
            attrs: dict[str, Attr] = {
                "subject": shown(info.filename),
                "how": kind,
                "stated": info.file_size,
            }
            yield Hazard("foreign-payload", shown(info.filename), attrs)


def _head(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The first bytes of a member; none when it is damaged or compressed in a way that is not known."""
    try:
        with archive.open(info) as member:
            return member.read(8)
    except (OSError, EOFError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile):
        return b""


def _after_the_end(path: str) -> Iterator[Hazard]:
    """Bytes behind the end record of the archive, or in its comment; ordinary archives end with the
    record."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES))
        if file.read(4) == _END:
            return
        file.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT))
        tail = file.read()
    at = tail.rfind(_END)
    extra = len(tail) - at - _END_BYTES
    if at >= 0 and extra > 0:
        how = foreign_kind(tail[at + _END_BYTES : at + _END_BYTES + 8]) or "bytes of no known kind"
        attrs: dict[str, Attr] = {"subject": "the end of the archive", "how": how, "stated": extra}
        yield Hazard("foreign-payload", "after the end of the archive", attrs)
