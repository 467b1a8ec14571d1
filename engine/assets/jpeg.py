"""JPEG (ITU-T T.81): baseline and progressive. Of its EXIF data only the orientation is kept."""

import re
from collections.abc import Iterator

from engine.assets.parts import Check, Damaged, Size, part

_START, _END = b"\xff\xd8", b"\xff\xd9"
_FRAMES, _REFUSED_FRAMES = (0xC0, 0xC1, 0xC2), (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_SCAN, _LAST = 0xDA, 0xD9
_TABLES = (0xDB, 0xC4, 0xDD)  # quantization, Huffman, restart interval
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_KEPT_APPS = {_APP0: b"JFIF\0", _APP2: b"ICC_PROFILE\0", _APP14: b"Adobe"}  # colours depend on the last two
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # orientations that swap width and height
# A marker that ends the compressed data of a scan: neither a stuffed byte nor a restart.
_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")


def is_one(octets: bytes) -> bool:
    """Return True if the bytes begin as a JPEG does."""
    return octets.startswith(_START + b"\xff")


def cleaned(octets: bytes, check: Check) -> tuple[Size, bytes]:
    """Return the size as it is shown, and the segments that draw the picture; raise Damaged."""
    size, has_scan, orientation = None, False, 1
    kept = [_START]
    for marker, content, data in _segments(octets):
        if marker in _FRAMES:
            if size is not None:
                raise Damaged("it has two frames")
            size = _size(content)
            check(size)
        elif marker in _REFUSED_FRAMES:
            raise Damaged("its kind of compression is not one that browsers know")
        elif marker == _APP1 and orientation == 1 and (orientation := _orientation(content)) != 1:
            kept.append(_segment(_APP1, _exif(orientation)))
        has_scan = has_scan or (marker == _SCAN and size is not None)
        if _draws(marker, content):
            kept.append(_segment(marker, content) + data)
    if size is None or not has_scan:
        raise Damaged("it has no picture")
    shown = Size(size.height, size.width) if orientation in _TURNED else size
    return shown, b"".join(kept) + _END


def _segments(octets: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield marker and content of each segment up to the end of the picture, with the data that follows a scan."""
    at = len(_START)
    while True:
        if part(octets, at, 1) != b"\xff":
            raise Damaged("a marker is missing")
        while (marker := part(octets, at, 1)[0]) == 0xFF:  # may be repeated
            at += 1
        if marker == _LAST:
            return
        if marker == 0 or 0xD0 <= marker <= 0xD8:
            raise Damaged("a marker stands where none may")
        length = int.from_bytes(part(octets, at + 1, 2))
        content = part(octets, at + 3, max(0, length - 2))
        at += 1 + max(2, length)
        data = b""
        if marker == _SCAN:
            following = _MARKER.search(octets, at)
            if following is None:
                raise Damaged("it ends too early")
            data = octets[at : following.start()]
            at = following.start()
        yield marker, content, data


def _draws(marker: int, content: bytes) -> bool:
    if marker in _KEPT_APPS:
        return content.startswith(_KEPT_APPS[marker])
    return marker in (*_TABLES, *_FRAMES, _SCAN)


def _size(frame: bytes) -> Size:
    if len(frame) < 6 or frame[0] != 8 or frame[5] not in (1, 3, 4):
        raise Damaged("its header has a value that browsers do not know")
    return Size(int.from_bytes(frame[3:5]), int.from_bytes(frame[1:3]))


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


def _exif(orientation: int) -> bytes:
    """Return EXIF data with the orientation alone."""
    entry = _ORIENTATION.to_bytes(2) + b"\0\x03\0\0\0\x01" + orientation.to_bytes(2) + b"\0\0"
    return _EXIF + b"MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0"


def _orientation(content: bytes) -> int:
    """Return the orientation of EXIF data; 1, upright, if it has none."""
    if not content.startswith(_EXIF):
        return 1
    tiff = content[len(_EXIF) :]
    order = "little" if tiff.startswith(b"II") else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)  # type: ignore[arg-type]  # it is one of the two

    directory = number(4, 4)
    for index in range(min(number(directory, 2), 200)):
        at = directory + 2 + 12 * index
        if number(at, 2) == _ORIENTATION:
            return value if 1 <= (value := number(at + 8, 2)) <= 8 else 1
    return 1
