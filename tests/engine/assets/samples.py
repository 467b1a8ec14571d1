"""Small pictures of each format, with metadata where the format has some."""

import zlib
from base64 import b64decode

# 4 × 2 pixels, with a maker, a place, a comment, and an orientation that turns it: shown as 2 × 4.
JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/4QB4RXhpZgAATU0AKgAAAAgAAwEPAAIAAAAHAAAAMgESAAMAAAABAAYAAIglAAQAAAABAAAAOgAAAABDYW1h"
    "cmEAAAACAAEAAgAAAAJOAAAAAAIABQAAAAMAAABYAAAAAAAAACgAAAABAAAAGQAAAAEAAAAAAAAAAf/+AAhzZWNyZXT/2wBDABsSFBcUERsXFhce"
    "HBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSk"
    "pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAACAAQDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAX"
    "EAEBAQEAAAAAAAAAAAAAAAAAAREh/8QAFQEBAQAAAAAAAAAAAAAAAAAAAgX/xAAXEQADAQAAAAAAAAAAAAAAAAAAATEC/9oADAMBAAIRAxEAPwCK"
    "cmQANVldQ//Z"
)
# 4 × 2 pixels: lossy with a maker and a place; lossless; animated.
WEBP = b64decode(
    "UklGRsQAAABXRUJQVlA4WAoAAAAIAAAAAwAAAQAAVlA4IC4AAABwAQCdASoEAAIABABoJagCdAF1AAD+6W0teq9DAKS3w//iVG//t3/qT5TOwAAA"
    "RVhJRnAAAABNTQAqAAAACAADAQ8AAgAAAAcAAAAyARIAAwAAAAEABgAAiCUABAAAAAEAAAA6AAAAAENhbWFyYQAAAAIAAQACAAAAAk4AAAAAAgAF"
    "AAAAAwAAAFgAAAAAAAAAKAAAAAEAAAAZAAAAAQAAAAAAAAAB"
)
LOSSLESS = b64decode("UklGRiIAAABXRUJQVlA4TBUAAAAvA0AAAA8wHoP8nv/5Dx7c4SGi/yEA")
ANIMATED = b64decode(
    "UklGRsoAAABXRUJQVlA4WAoAAAACAAAAAwAAAQAAQU5JTQYAAAAAAAAAAABBTk1GVgAAAAAAAAAAAAMAAAEAAGQAAAJWUDggPgAAAFABAJ0BKgQA"
    "AgABQCYlqAAEdAAA/vDpf+jHQHyw+G/IPpbE0sPqI6bff//uID0eUP/7jP//sQHo8ofoQAAAQU5NRkAAAAAAAAAAAAADAAABAABkAAAAVlA4ICgA"
    "AABUAQCdASoEAAIAAAAmJZgABGGAAP7857X//wQX8QX8QVpX6D4r4AAA"
)
# 4 × 2 pixels, two frames for ever, with a comment.
GIF = b64decode(
    "R0lGODlhBAACAIEAAMgePAAA/wAAAAAAACH/C05FVFNDQVBFMi4wAwEAAAAh/gZzZWNyZXQAIfkEAAoAAAAsAAAAAAQAAgAACAgAAwAYSBBAQAAh"
    "+QQBCgABACwAAAAABAACAIEAADwAAAAAAAAAAAAIBwABCBwoMCAAOw=="
)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def png(width: int = 4, height: int = 2, *, pixels: bytes | None = None, interlaced: bool = False) -> bytes:
    """Return a PNG in shades of grey, with a text; `pixels` replaces its compressed pixels."""
    header = width.to_bytes(4) + height.to_bytes(4) + bytes((8, 0, 0, 0, interlaced))
    drawn = zlib.compress(bytes((width + 1) * height)) if pixels is None else pixels
    chunks = ((b"IHDR", header), (b"tEXt", b"Comment\0secret"), (b"IDAT", drawn), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)
