"""GIF (87a and 89a), also animated."""

from engine.assets.parts import Check, Damaged, Size, part

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")  # how often an animation is repeated
_HAS_COLORS, _COLORS = 0x80, 0x07


def is_one(octets: bytes) -> bool:
    """Return True if the bytes begin as a GIF does."""
    return octets.startswith((b"GIF87a", b"GIF89a"))


def cleaned(octets: bytes, check: Check) -> tuple[Size, bytes]:
    """Return the size and the blocks that draw the picture; raise Damaged."""
    header = part(octets, 0, 13)
    size = _size(header[6:10])
    check(size)
    at = 13 + _colors(header[10])
    kept, has_image = [part(octets, 0, at)], False
    # Browsers show a file without its last byte, and some programs write none.
    while (kind := _kind(octets, at, is_complete=has_image)) != _TRAILER:
        if kind == _IMAGE:
            check(_size(part(octets, at, 10)[5:9]))
            end = _end_of_data(octets, at + 10 + _colors(octets[at + 9]) + 1)
            has_image = True
        elif kind == _EXTENSION:
            end = _end_of_data(octets, at + 2)
        else:
            raise Damaged("it has a block of unknown kind")
        if kind == _IMAGE or _draws(octets, at):
            kept.append(octets[at:end])
        at = end
    if not has_image:
        raise Damaged("it has no picture")
    return size, b"".join(kept) + bytes((_TRAILER,))


def _kind(octets: bytes, at: int, *, is_complete: bool) -> int:
    return _TRAILER if is_complete and at == len(octets) else part(octets, at, 1)[0]


def _draws(octets: bytes, at: int) -> bool:
    label = octets[at + 1]
    return label == _CONTROL or (label == _APPLICATION and octets.startswith(_LOOPS, at + 2))


def _size(four: bytes) -> Size:
    return Size(int.from_bytes(four[:2], "little"), int.from_bytes(four[2:], "little"))


def _colors(flags: int) -> int:
    """Return the length of the table of colours that these flags announce."""
    return 3 << ((flags & _COLORS) + 1) if flags & _HAS_COLORS else 0


def _end_of_data(octets: bytes, at: int) -> int:
    """Return the position after a chain of blocks, each with its length first, which an empty one ends."""
    while length := part(octets, at, 1)[0]:
        at += 1 + length
    return at + 1
