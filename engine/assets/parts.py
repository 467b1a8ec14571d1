"""Sizes, faults, and the reading of required parts, as all formats of pictures use them."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Damaged(Exception):
    """The bytes do not follow their format; the message says where."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


Check: TypeAlias = Callable[[Size], None]  # raises if pictures of this size are refused


def part(octets: bytes, start: int, length: int) -> bytes:
    """Return these bytes; raise Damaged if the file is shorter."""
    cut = octets[start : start + length]
    if len(cut) < length:
        raise Damaged("it ends too early")
    return cut
