"""Pictures: recognised by their content, bounded, and rewritten with the parts that draw them.

Nothing is decoded but the compressed pixels of PNG, which are counted. Metadata such as the place of a photograph, and
anything that follows the picture, is left out.
"""

from dataclasses import dataclass

from engine.assets import gif, jpeg, png, webp
from engine.assets.parts import Damaged, Size
from errors import InvalidInput

BYTES_MAX = 2_000_000
SIDE_MAX, PIXELS_MAX = 10_000, 16_000_000
FORMATS = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_READERS = {"png": png, "jpg": jpeg, "gif": gif, "webp": webp}
_FIELD = "file"
_OTHERS = (
    (0, b"%PDF", "a PDF file"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"PK", "an archive (.zip)"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyphei", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIC picture"),
    (4, b"ftyp", "a film"),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is served: the extension of its format, its size in pixels, its bytes."""

    extension: str
    width: int
    height: int
    octets: bytes


def read(octets: bytes) -> Picture:
    """Return the picture in these bytes, reduced to the parts that draw it. Raises InvalidInput."""
    if not octets:
        raise InvalidInput.of(_FIELD, "is empty; choose a picture")
    if len(octets) > BYTES_MAX:
        raise InvalidInput.of(_FIELD, f"has {len(octets)} bytes; at most {BYTES_MAX} are taken: make it smaller")
    extension = next((name for name, reader in _READERS.items() if reader.is_one(octets)), None)
    if extension is None:
        raise InvalidInput.of(_FIELD, f"is {_described(octets)}; save it as PNG, JPEG, GIF or WebP")
    try:
        size, cleaned = _READERS[extension].cleaned(octets, _check)
    except Damaged as damaged:
        raise InvalidInput.of(_FIELD, f"is damaged: {damaged}") from None
    return Picture(extension, size.width, size.height, cleaned)


def _check(size: Size) -> None:
    """Refuse a picture that would need too much memory where it is shown."""
    if size.width < 1 or size.height < 1:
        raise Damaged("its width or height is 0")
    if max(size) > SIDE_MAX or size.width * size.height > PIXELS_MAX:
        raise InvalidInput.of(
            _FIELD,
            f"has {size.width} × {size.height} pixels; at most {SIDE_MAX} on a side and {PIXELS_MAX} in all are taken",
        )


def _described(octets: bytes) -> str:
    beginning = octets[:1_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in beginning:
        return "an SVG drawing"
    if beginning.startswith(b"<"):
        return "an HTML page"
    return next((words for at, mark, words in _OTHERS if octets.startswith(mark, at)), "no picture")
