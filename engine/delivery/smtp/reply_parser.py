"""Whole replies out of a stream of bytes, one at a time (RFC 5321 section 4.2)."""

import re
from collections.abc import Iterator

_CODES = frozenset(b"%d" % code for code in range(200, 600))
# The start of a reply that is one line, as nearly all are: one look-up tells that it is in order.
_SINGLE = {b"%d%b" % (code, mark): code for code in range(200, 600) for mark in (b" ", b"\r", b"")}
# RFC 5321 allows 512 octets a line; servers that say more are heard, servers that never stop are not.
_MAX_LINE = 4_096
_MAX_LINES = 128
# 500 characters and no "@": what can be kept as it is (replies.redact).
_PLAIN = rb"250 [ -?A-~]{0,496}"
_plain = re.compile(_PLAIN).fullmatch
# Finds a plain answer to a body and the three go-aheads of the next envelope, no more and no less; the answer is its
# group 1. A Reader finds the same four replies, in five times the time.
smooth_round = re.compile(rb"(%b)\r\n250 .*\n250 .*\n354 .*\n" % _PLAIN).fullmatch


class Garbage(Exception):
    """What came is no SMTP reply: the two sides no longer agree about where they are."""


class Reader:
    """Takes bytes as they come, in any pieces; gives each reply as (code, text).

    The text has the code in front and, for a reply of several lines, newlines between them.
    """

    __slots__ = ("_begun", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._begun: list[bytes] = []

    @property
    def is_between_replies(self) -> bool:
        """Whether everything that came in has been given out."""
        return not self._rest and not self._begun

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The replies that `data` completes, lazily: those before the fault come first. Raises Garbage."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            code = _SINGLE.get(line[:4])
            if code is not None and not self._begun:
                yield code, line.rstrip(b"\r")
                continue
            if code is None and (line[:3] not in _CODES or line[3:4] != b"-"):
                raise Garbage("not an SMTP reply")
            self._begin(line)
            if code is not None:
                text = b"\n".join(self._begun)
                self._begun = []
                yield code, text
        if len(self._rest) > _MAX_LINE:
            raise Garbage("a reply line that does not end")

    def _begin(self, line: bytes) -> None:
        self._begun.append(line.rstrip(b"\r"))
        if len(self._begun) > _MAX_LINES:
            raise Garbage("a reply that does not end")


def is_plain(text: bytes) -> bool:
    """Whether a 250 is one line without "@" or control characters, short enough to be kept as it is."""
    return _plain(text) is not None
