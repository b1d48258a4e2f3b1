"""CRC-32 of what is put together from parts, without reading the parts again.

A CRC is a polynomial over GF(2) modulo a fixed one: bytes behind a part multiply its CRC by x to the 8 times
their number. Source: https://www.rfc-editor.org/rfc/rfc1952#section-8, bits in its reflected order.
"""

from __future__ import annotations

from functools import cache

_MODULUS = 0xEDB88320
_ONE = 1 << 31
"""The polynomial 1; the highest power stands in the lowest bit."""

_ORDER = 2**32 - 1
"""x to this power is 1, since the modulus is primitive: dividing by one power is multiplying by another."""


def joined(first: int, second: int, size: int) -> int:
    """The CRC of two parts one after the other; ``size`` is the number of bytes of the second."""
    return _product(first, _power(8 * size)) ^ second


def middle(whole: int, before: int, after: int, size: int, after_size: int) -> int:
    """The CRC of a part of ``size`` bytes, from that of the whole and of what stands around the part."""
    until = _product(whole ^ after, _power(-8 * after_size))
    return until ^ _product(before, _power(8 * size))


def _product(one: int, other: int) -> int:
    found, bit = 0, _ONE
    while bit:
        if one & bit:
            found ^= other
        other = other >> 1 ^ (_MODULUS if other & 1 else 0)
        bit >>= 1
    return found


def _power(exponent: int) -> int:
    """x to the power."""
    exponent %= _ORDER
    found, at = _ONE, 0
    while exponent >> at:
        if exponent >> at & 1:
            found = _product(found, _square(at))
        at += 1
    return found


@cache
def _square(times: int) -> int:
    """x squared so many times."""
    return 1 << 30 if times == 0 else _product(_square(times - 1), _square(times - 1))
