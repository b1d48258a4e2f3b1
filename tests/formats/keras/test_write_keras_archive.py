"""Checksums of members that are put together from stretches of another zip."""

import os
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlint.formats.keras.write.archive import Archive, Member
from archlint.formats.keras.write.crc import joined, middle
from archlint.formats.stretch import Stretch

PARTS = st.binary(max_size=300)


@given(PARTS, PARTS)
def test_the_crc_of_two_parts_follows_from_theirs(first: bytes, second: bytes) -> None:
    assert zlib.crc32(first + second) == joined(zlib.crc32(first), zlib.crc32(second), len(second))


@given(PARTS, PARTS, PARTS)
def test_the_crc_of_a_part_follows_from_the_whole_and_the_rest(one: bytes, two: bytes, three: bytes) -> None:
    whole = zlib.crc32(one + two + three)
    assert zlib.crc32(two) == middle(whole, zlib.crc32(one), zlib.crc32(three), len(two), len(three))


def test_parts_beyond_four_gigabytes_are_joined() -> None:
    half = 3 * 10**9
    assert joined(joined(11, 0, half), 7, half) == joined(11, 7, 2 * half)


DATA = os.urandom(5000)


def patched(folder: Path, data: bytes, damage: int | None = None) -> Path:
    """A zip whose member is three stretches of another's, in another order, with other bytes between."""
    old, new = folder / "old.zip", folder / "new.zip"
    with zipfile.ZipFile(old, "w") as archive:
        archive.writestr("w", data)
    with zipfile.ZipFile(old) as archive:
        info = archive.getinfo("w")
        first = info.header_offset + 30 + len("w")
    if damage is not None:
        with old.open("r+b") as file:
            file.seek(first + damage)
            file.write(b"\1" if data[damage : damage + 1] == b"\0" else b"\0")
    rows = ((100, 2500, 900), (1000, 10, 2490), (3600, 4000, 77))
    stretches = [Stretch(str(old), first + source, target, size) for source, target, size in rows]

    def fill(target):
        target.truncate(4100)
        target.write(memoryview(b"begin"))
        return stretches

    with new.open("w+b") as file:
        archive = Archive(file)
        archive.put(info, b"before")
        archive.grow(Member(str(old), replaced(info, "x"), first), fill)
        archive.close()
    return new


def replaced(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, info.date_time)
    made.CRC, made.file_size = info.CRC, info.file_size
    return made


def test_a_member_of_stretches_holds_them_and_passes_its_checksum(tmp_path) -> None:
    with zipfile.ZipFile(patched(tmp_path, DATA)) as archive:
        found = archive.read("x")
    expected = bytearray(4100)
    expected[:5] = b"begin"
    expected[2500:3400] = DATA[100:1000]
    expected[10:2500] = DATA[1000:3490]
    expected[4000:4077] = DATA[3600:3677]
    assert bytes(expected) == found


@pytest.mark.parametrize("place", [150, 1500, 4500])
def test_damage_to_the_original_is_damage_of_the_patch(place: int, tmp_path) -> None:
    with (
        zipfile.ZipFile(patched(tmp_path, DATA, place)) as archive,
        pytest.raises(zipfile.BadZipFile, match="CRC"),
    ):
        archive.read("x")
