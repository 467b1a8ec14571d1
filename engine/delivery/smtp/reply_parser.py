"""Parsing of SMTP replies from a stream of bytes (RFC 5321 section 4.2), and of the extensions in one to EHLO."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CODES = frozenset(b"%d" % code for code in range(200, 600))
# The start of a reply of one line, as nearly all are: one lookup validates it.
_SINGLE = {b"%d%b" % (code, mark): code for code in range(200, 600) for mark in (b" ", b"\r", b"")}
# RFC 5321 allows 512 octets a line. Longer lines are accepted, endless ones are not.
_MAX_LINE = 4_096
_MAX_LINES = 128
# 500 characters without "@": a text that can be stored unchanged (replies.redact).
_PLAIN = rb"250 [ -?A-~]{0,496}"
_plain = re.compile(_PLAIN).fullmatch
# Matches exactly a plain 250 to a body (group 1) and the three positive replies to the next message's commands.
# A ReplyParser finds the same four replies in five times the time.
match_accepted_round = re.compile(rb"(%b)\r\n250 .*\n250 .*\n354 .*\n" % _PLAIN).fullmatch


class InvalidReply(Exception):
    """The server sent something that is no SMTP reply, or a reply to nothing: the dialogue cannot go on."""


@dataclass(frozen=True, slots=True)
class Features:
    """The extensions that the server announced in its reply to EHLO."""

    pipelining: bool = False  # RFC 2920
    eight_bit: bool = False  # 8BITMIME, RFC 6152
    smtputf8: bool = False  # RFC 6531
    has_size: bool = False  # RFC 1870
    max_size: int = 0  # bytes; 0 is no limit
    starttls: bool = False
    auth: frozenset[str] = frozenset()
    is_lmtp: bool = False  # RFC 2033


class ReplyParser:
    """Takes bytes in pieces of any size and yields each reply as (code, text).

    The text begins with the code. The lines of a reply are separated by newlines.
    """

    __slots__ = ("_lines", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []  # of an incomplete reply

    @property
    def is_between_replies(self) -> bool:
        """Return True if all received bytes have been yielded."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the replies that `data` completes, lazily. Raises InvalidReply after the valid ones."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            code = _SINGLE.get(line[:4])
            if code is not None and not self._lines:
                yield code, line.rstrip(b"\r")
                continue
            if code is None and (line[:3] not in _CODES or line[3:4] != b"-"):
                raise InvalidReply("not an SMTP reply")
            self._add_line(line)
            if code is not None:
                text = b"\n".join(self._lines)
                self._lines = []
                yield code, text
        if len(self._rest) > _MAX_LINE:
            raise InvalidReply("a reply line that does not end")

    def _add_line(self, line: bytes) -> None:
        self._lines.append(line.rstrip(b"\r"))
        if len(self._lines) > _MAX_LINES:
            raise InvalidReply("a reply that does not end")


def is_plain(text: bytes) -> bool:
    """Return True for a 250 of one line, without "@" or control characters, short enough to be stored unchanged."""
    return _plain(text) is not None


def parse_features(text: bytes, *, is_lmtp: bool) -> Features:
    """Return the extensions that a positive reply to EHLO or LHLO announces."""
    lines = text.decode("ascii", "replace").upper().splitlines()
    words = {parts[0]: parts[1:] for line in lines[1:] if (parts := line[4:].split())}
    size = words.get("SIZE", [])
    return Features(
        pipelining="PIPELINING" in words,
        eight_bit="8BITMIME" in words,
        smtputf8="SMTPUTF8" in words,
        has_size="SIZE" in words,
        max_size=int(size[0]) if size and size[0].isdigit() else 0,
        starttls="STARTTLS" in words,
        auth=frozenset(words.get("AUTH", [])),
        is_lmtp=is_lmtp,
    )
