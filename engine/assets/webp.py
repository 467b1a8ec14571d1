"""WebP (RFC 9649): lossy, lossless, animated."""

from collections.abc import Iterator

from engine.assets.parts import Check, Damaged, Size, part

_EXTENDED, _LOSSY, _LOSSLESS, _FRAME = b"VP8X", b"VP8 ", b"VP8L", b"ANMF"
_DRAWING = (_EXTENDED, _LOSSY, _LOSSLESS, _FRAME, b"ANIM", b"ALPH", b"ICCP")
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04


def is_one(octets: bytes) -> bool:
    """Return True if the bytes begin as a WebP does."""
    return octets.startswith(b"RIFF") and octets[8:12] == b"WEBP"


def cleaned(octets: bytes, check: Check) -> tuple[Size, bytes]:
    """Return the size and the chunks that draw the picture; raise Damaged."""
    content = part(octets, 12, int.from_bytes(part(octets, 4, 4), "little") - 4)
    chunks = [(kind, data) for kind, data in _chunks(content) if kind in _DRAWING]
    if not chunks or chunks[0][0] not in (_EXTENDED, _LOSSY, _LOSSLESS):
        raise Damaged("it has no picture")
    size = _size(*chunks[0])
    check(size)
    images = [each for each in chunks if each[0] in (_LOSSY, _LOSSLESS, _FRAME)]
    if not images or any(kind != _FRAME and _size(kind, data) != size for kind, data in images):
        raise Damaged("it has no picture of the size that its header says")
    for kind, data in images:
        if kind == _FRAME:
            check(_frame(data))
    body = b"WEBP" + b"".join(_written(kind, data) for kind, data in chunks)
    return size, b"RIFF" + len(body).to_bytes(4, "little") + body


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        length = int.from_bytes(part(content, at + 4, 4), "little")
        yield content[at : at + 4], part(content, at + 8, length)
        at += 8 + length + length % 2


def _written(kind: bytes, data: bytes) -> bytes:
    if kind == _EXTENDED:
        data = bytes((data[0] & ~(_EXIF_FLAG | _XMP_FLAG),)) + data[1:]
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def _size(kind: bytes, data: bytes) -> Size:
    """Return the size that a chunk says."""
    if kind == _EXTENDED:
        part(data, 0, 10)
        return Size(_three(data, 4) + 1, _three(data, 7) + 1)
    if kind == _LOSSY:
        if part(data, 0, 10)[3:6] != b"\x9d\x01\x2a" or data[0] & 1:
            raise Damaged("its picture does not begin as one")
        return Size(int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF)
    if part(data, 0, 5)[0] != 0x2F:
        raise Damaged("its picture does not begin as one")
    bits = int.from_bytes(data[1:5], "little")
    return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)


def _frame(data: bytes) -> Size:
    part(data, 0, 16)
    return Size(_three(data, 6) + 1, _three(data, 9) + 1)


def _three(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
