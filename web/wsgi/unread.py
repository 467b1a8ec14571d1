"""Request bodies that a view refused without reading them to the end.

Most clients write their whole body before they read the response. If the server closes the connection meanwhile, they
report a broken pipe instead of the 413 or 401. So the rest of the body is received and discarded, up to `DISCARDED_MAX`
bytes.
"""

from typing import Any

SMALL = 65_536  # bytes; a body of this size fits the buffers of the connection
DISCARDED_MAX = 32_000_000
PART_MAX = 262_144


def is_large(scope: dict[str, Any]) -> bool:
    """Return True if the request's body may be larger than the buffers of a connection."""
    size = scope.get("CONTENT_LENGTH") or "0"
    return "HTTP_TRANSFER_ENCODING" in scope or (size.isdecimal() and int(size) > SMALL)


class CountedInput:
    """The body of a request as `wsgi.input`, which counts the bytes that were read."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._source = environ["wsgi.input"]
        self._size = int(environ.get("CONTENT_LENGTH") or DISCARDED_MAX)
        # The client waits for `100 Continue`; it gets the response instead.
        self._is_awaited = "HTTP_EXPECT" in environ
        self._is_complete = False
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes, or fewer at the end of the body."""
        wanted = size if size >= 0 else DISCARDED_MAX
        part: bytes = self._source.read(wanted)
        self._read += len(part)
        self._is_complete = self._is_complete or len(part) < wanted or self._read >= self._size
        return part

    @property
    def must_be_discarded(self) -> bool:
        """True if the client still sends, and no more than we take."""
        waits = self._is_awaited and not self._read
        return not self._is_complete and not waits and self._size <= DISCARDED_MAX and self._read < DISCARDED_MAX

    def discard_part(self) -> bool:
        """Receive a part of the rest; return False if there is no more.

        A read ends only with all its bytes, so parts begin small: a slow sender is noticed soon after the deadline.
        """
        self.read(min(max(1, self._read // 8), PART_MAX, max(1, self._size - self._read)))
        return self.must_be_discarded
