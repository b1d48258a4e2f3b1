"""External data: where a file says that its weights are, judged from the text alone; nothing is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from archlint.formats.onnx.records import Stored
from archlint.graph import Attr

MEMORY_MARK = "_ORT_MEM_ADDR_"


def external_metadata(path: str, stored: Iterable[Stored]) -> dict[str, Attr]:
    """What is to be said about the external data of a model at ``path``, each a sorted tuple of locations.

    ``external_data``: files named; ``external_data_escapes``: absolute paths, ``..``, links, URLs and
    addresses, which no tool should follow; ``external_data_missing``: no such regular file;
    ``external_data_out_of_range``:
    offset and length reach beyond the file or are no numbers.
    """
    wanted: dict[str, list[tuple[str, str]]] = {}
    for item in stored:
        if item.external is not None:
            location, offset, length = item.external
            wanted.setdefault(location, []).append((offset, length))
    found: dict[str, list[str]] = {}
    for location, ranges in sorted(wanted.items()):
        found.setdefault("external_data", []).append(location)
        problem = _problem(path, location, ranges)
        if problem:
            found.setdefault(problem, []).append(location)
    return {key: tuple(value) for key, value in found.items()}


def _problem(path: str, location: str, ranges: list[tuple[str, str]]) -> str:
    parts = location.replace("\\", "/").split("/")
    drive = len(parts[0]) == 2 and parts[0][1:] == ":"
    if not location or "\0" in location or parts[0] == "" or drive or ".." in parts or _is_no_path(location):
        return "external_data_escapes"
    at = os.path.dirname(path)
    info = None
    for part in location.split("/"):
        at = os.path.join(at, part)
        try:
            info = os.lstat(at)
        except (OSError, ValueError):
            return "external_data_missing"
        if stat.S_ISLNK(info.st_mode) and not _lies_beside(path, at):
            return "external_data_escapes"
        if stat.S_ISLNK(info.st_mode):
            info = os.stat(at)
    if info is None or not stat.S_ISREG(info.st_mode):
        return "external_data_missing"
    size = info.st_size
    return "" if all(_fits(*item, size) for item in ranges) else "external_data_out_of_range"


def _is_no_path(location: str) -> bool:
    """Whether a location is a URL, or ONNX Runtime's mark for an address in memory.

    Loaders that took the mark from a file read what lies at that address: microsoft/onnxruntime#28709,
    #29011.
    """
    return "://" in location or MEMORY_MARK in location


def _lies_beside(path: str, link: str) -> bool:
    """Whether a link leads to the very folder in which the model itself lies, behind a link of its own.

    So it is in the cache of the Hugging Face hub, whose snapshots are links to blobs.
    """
    home = os.path.dirname(os.path.realpath(path))
    return os.path.islink(path) and os.path.dirname(os.path.realpath(link)) == home and os.path.isfile(link)


def _fits(offset: str, length: str, size: int) -> bool:
    numbers = []
    for text in (offset, length):
        if text and not (text.isascii() and text.isdigit() and len(text) < 20):
            return False
        numbers.append(int(text) if text else 0)
    return sum(numbers) <= size
