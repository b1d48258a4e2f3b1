"""Proof that an HDF5 file is an ordinary one: groups and tensors that lie in the file itself, and nothing
else.

Every file that Keras writes has the first version of everything: superblock 0, groups as symbol tables,
object
headers of version 1. Their structure is walked here over the bytes, without h5py (60 ms to import, half of
what a run
may cost): about 6 µs and 300 bytes per object, 1 ms on VGG16. Whatever is not understood makes the file not
ordinary, and ``links`` then looks at it with h5py; so this module can miss nothing by not knowing it.

Source: HDF5 File Format Specification, https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html,
sections
II.A (superblock), III.A.1 (B-trees), III.B (symbol table nodes), IV.A (object headers and messages).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from archlint.dataclass import dataclass

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 2**64 - 1
MAX_OBJECTS = 100_000
"""Most objects that are walked; a ResNet152 with its optimizer's state has some 6,000."""

LARGE_BYTES = 4 * 2**30
"""Tensors that state more than this must be in the file in full to be ordinary (Keras's own bound is the
same)."""

_MAX_PIECE = 1 << 20
_OLD_GROUP, _CONTINUED, _SPACE, _TYPE, _LAYOUT = 0x11, 0x10, 0x01, 0x03, 0x08
_HARMLESS = frozenset({0x00, 0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0E, 0x12, 0x15})
"""Header messages that say nothing of where contents lie: fill values, filters, attributes, comments,
times."""

_PREFIX = struct.Struct("<BxHIIxxxx")
_MESSAGE = struct.Struct("<HHB")
_PAIR = struct.Struct("<QQ")


class _StrangeError(Exception):
    """The file holds something that an ordinary one does not."""


@dataclass(frozen=True, slots=True)
class Store:
    """An HDF5 file, or one that lies inside another: ``piece(at, size)`` gives bytes of it."""

    piece: Callable[[int, int], bytes]
    size: int


def end_of(store: Store) -> int | None:
    """Where the file itself says that it ends; None when it does not begin as HDF5, or in a way that is not
    known."""
    head = store.piece(0, 64)
    if not head.startswith(SIGNATURE) or len(head) < 64:
        return None
    place = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8])
    sizes = head[13:15] if head[8] < 2 else head[9:11]
    return (
        None if place is None or sizes != b"\x08\x08" else int.from_bytes(head[place : place + 8], "little")
    )


def is_ordinary(store: Store) -> bool:
    """Whether all that the file holds are groups and tensors of its own; False also for what is not
    understood."""
    try:
        waiting = [_root(store)]
        seen = set(waiting)
        while waiting:
            for address in _members(store, waiting.pop()):
                if address not in seen:
                    seen.add(address)
                    waiting.append(address)
            if len(seen) > MAX_OBJECTS:
                return False
    except (_StrangeError, struct.error, IndexError):
        return False
    return True


def _root(store: Store) -> int:
    head = store.piece(0, 96)
    if not head.startswith(SIGNATURE) or head[8] != 0 or head[13:15] != b"\x08\x08":
        raise _StrangeError
    base, _, end, driver = struct.unpack_from("<QQQQ", head, 24)
    if base != 0 or end > store.size or driver != UNDEFINED:
        raise _StrangeError
    return int(struct.unpack_from("<Q", head, 64)[0])


def _members(store: Store, address: int) -> list[int]:
    """Addresses of what a group holds; none for a tensor. Raises when the object is anything else."""
    table: int | None = None
    space = kind = layout = None
    for number, body in _messages(store, address):
        if number == _OLD_GROUP:
            table = _PAIR.unpack_from(body)[0]
        elif number == _SPACE:
            space = body
        elif number == _TYPE:
            kind = body
        elif number == _LAYOUT:
            layout = body
        elif number not in _HARMLESS:
            raise _StrangeError
    if table is not None and layout is None:
        return _children(store, table)
    if table is None and space is not None and kind is not None and layout is not None:
        _check_tensor(store, space, kind, layout)
        return []
    raise _StrangeError


def _messages(store: Store, address: int) -> list[tuple[int, bytes]]:
    version, count, _, size = _PREFIX.unpack_from(store.piece(address, 16))
    if version != 1:
        raise _StrangeError
    found: list[tuple[int, bytes]] = []
    blocks = [(address + 16, size)]
    for start, length in blocks:
        if length > _MAX_PIECE or len(blocks) > 64:
            raise _StrangeError
        data = store.piece(start, length)
        at = 0
        while at + 8 <= len(data) and len(found) < count:
            number, length, flags = _MESSAGE.unpack_from(data, at)
            body = data[at + 8 : at + 8 + length]
            if flags & 2 or len(body) < length:
                raise _StrangeError
            found.append((number, body))
            if number == _CONTINUED:
                blocks.append(_PAIR.unpack_from(body))
            at += 8 + length
    if len(found) != count:
        raise _StrangeError
    return [item for item in found if item[0] != _CONTINUED]


def _children(store: Store, address: int) -> list[int]:
    """Addresses of the objects in a B-tree of symbol table nodes."""
    found: list[int] = []
    nodes = [address]
    for at in nodes:
        head = store.piece(at, 24)
        used = int.from_bytes(head[6:8], "little")
        if head[:5] != b"TREE\0" or len(nodes) > MAX_OBJECTS:
            raise _StrangeError
        body = store.piece(at + 24, 16 * used)
        addresses = [_PAIR.unpack_from(body, 16 * index)[1] for index in range(used)]
        if head[5]:
            nodes.extend(addresses)
        else:
            for leaf in addresses:
                found.extend(_entries(store, leaf))
    return found


def _entries(store: Store, address: int) -> list[int]:
    head = store.piece(address, 8)
    count = int.from_bytes(head[6:8], "little")
    if head[:5] != b"SNOD\1":
        raise _StrangeError
    body = store.piece(address + 8, 40 * count)
    found = []
    for index in range(count):
        _, header, cached = struct.unpack_from("<QQI", body, 40 * index)
        if cached > 1:  # 2 is a soft link
            raise _StrangeError
        found.append(header)
    return found


def _check_tensor(store: Store, space: bytes, kind: bytes, layout: bytes) -> None:
    """Raises unless the contents lie in the file: compact, contiguous or chunked, and not out of all
    proportion."""
    version, storage = layout[0], layout[1]
    if version != 3 or storage > 2:
        raise _StrangeError
    stated = _stated_bytes(space, kind)
    if storage == 1 and stated > LARGE_BYTES:
        address, size = _PAIR.unpack_from(layout, 2)
        if address == UNDEFINED or size < stated or address + size > store.size:
            raise _StrangeError
    elif stated > LARGE_BYTES:
        raise _StrangeError


def _stated_bytes(space: bytes, kind: bytes) -> int:
    """Elements times bytes per element."""
    version, rank = space[0], space[1]
    start = {1: 8, 2: 4}.get(version)
    if start is None:
        raise _StrangeError
    total = int.from_bytes(kind[4:8], "little")
    for dim in struct.unpack_from(f"<{rank}Q", space, start):
        total *= dim
    return total
