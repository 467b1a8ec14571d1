"""PNG (ISO/IEC 15948), also animated: checksums and pixel data are verified."""

import zlib
from collections.abc import Iterator

from engine.assets.parts import Check, Damaged, Size, part

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DRAWING = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD",
     b"pHYs", b"acTL", b"fcTL", b"fdAT")
)  # fmt: skip
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7
_INPUT, _OUTPUT = 16_384, 262_144  # bytes at once


def is_one(octets: bytes) -> bool:
    """Return True if the bytes begin as a PNG does."""
    return octets.startswith(_SIGNATURE)


def cleaned(octets: bytes, check: Check) -> tuple[Size, bytes]:
    """Return the size and the chunks that draw the picture; raise Damaged."""
    chunks = list(_chunks(octets))
    if chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise Damaged("it does not begin with its header")
    header = chunks[0][1]
    size = Size(int.from_bytes(header[:4]), int.from_bytes(header[4:8]))
    check(size)
    _check_pixels([content for kind, content in chunks if kind == b"IDAT"], _pixel_bytes(size, header))
    kept = (_written(kind, content) for kind, content in chunks if kind in _DRAWING)
    return size, _SIGNATURE + b"".join(kept)


def _chunks(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk up to the last."""
    at, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(part(octets, at, 4))
        kind, content = part(octets, at + 4, 4), part(octets, at + 8, length)
        if zlib.crc32(kind + content) != int.from_bytes(part(octets, at + 8 + length, 4)):
            raise Damaged("a checksum is wrong")
        yield kind, content
        at += 12 + length


def _written(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def _pixel_bytes(size: Size, header: bytes) -> int:
    """Return the length of the pixel data, each line with the byte of its filter."""
    depth, color, is_interlaced = header[8], header[9], header[12]
    if depth not in _DEPTHS.get(color, ()) or header[10] or header[11] or is_interlaced > 1:
        raise Damaged("its header has a value that does not exist")
    bits = depth * _CHANNELS[color]
    passes = _PASSES if is_interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, lines = -(-(size.width - left) // across), -(-(size.height - top) // down)
        if columns > 0 and lines > 0:
            total += lines * (1 + (columns * bits + 7) // 8)
    return total


def _check_pixels(contents: list[bytes], expected: int) -> None:
    """Decompress the pixel data part by part, never more than is expected, and count it."""
    inflate, count = zlib.decompressobj(), 0
    try:
        for content in contents:
            for start in range(0, len(content), _INPUT):
                rest = content[start : start + _INPUT]
                while rest and count <= expected:
                    count += len(inflate.decompress(rest, _OUTPUT))
                    rest = inflate.unconsumed_tail
        count += len(inflate.flush()) if count < expected else 0
    except zlib.error:
        raise Damaged("its pixels cannot be decompressed") from None
    if count != expected:
        raise Damaged("it has too few pixels" if count < expected else "it has more pixels than its size says")
