"""Placeholders for the values that differ between the e-mails of a template, and the segments between them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.messages import mime
from engine.tracking import tokens

_BEGIN, _END = "\x02", "\x03"
_NON_ASCII = "é"
_PLACEHOLDER = re.compile(rb"\x02(\d+)(?:\xc3\xa9)?\x03")
_AT_LINE_START = re.compile(rb"\n\x02(\d+)")
_PLACEHOLDER_OCTETS_MAX = 16
# HTML would read an entity that begins before a variable and ends in it.
_ENTITY_AT_END = re.compile("&[A-Za-z0-9#]*$")


class CannotPrerender(Exception):
    """The e-mails of the template differ in more than the values of their placeholders."""


class Link(NamedTuple):
    """A tracked link: its number, the fixed start of its target, and the variable that the target ends in, if any."""

    number: int
    begin: str
    variable: int | None


class Line(NamedTuple):
    """A line of a body that has placeholders: the octets of its fixed segments, and the placeholders' numbers."""

    octets: int
    numbers: tuple[int, ...]


class PlaceholderLinks:
    """Tracking addresses that consist of placeholders; `links` lists the links in the order of their first use.

    The placeholders have the numbers `opened`, `unsubscribe` and, for the links, `first_link` and those after it.
    """

    def __init__(self, public_url: str, *, opened: int, unsubscribe: int | None, first_link: int) -> None:
        self._public_url = public_url
        self._first_link = first_link
        self.pixel = f"{public_url}/o/{placeholder(opened)}.gif"
        self.unsubscribe = "" if unsubscribe is None else f"{public_url}/u/{placeholder(unsubscribe)}"
        self.links: list[Link] = []

    def clicked(self, link: int, target: str) -> str:
        """Return the tracked address; raise CannotPrerender or ValueError if the target may need repair."""
        parsed = _parsed(link, target)
        if parsed not in self.links:
            self.links.append(parsed)
        return f"{self._public_url}/c/{placeholder(self._first_link + self.links.index(parsed))}"


def _parsed(number: int, target: str) -> Link:
    begin, opening, rest = target.partition(_BEGIN)
    if not opening:
        tokens.destination(number, target)
        return Link(number, target, None)
    variable, closing, after = rest.partition(_END)
    if not closing or after or _ENTITY_AT_END.search(begin):
        raise CannotPrerender
    return Link(number, begin, int(variable.rstrip(_NON_ASCII)))


def placeholder(number: int, *, is_ascii: bool = True) -> str:
    """Return the placeholder with this number; it is ASCII or not, as the values that will replace it."""
    return f"{_BEGIN}{number}{'' if is_ascii else _NON_ASCII}{_END}"


def renumbered(body: bytes, count: int, offset: int) -> bytes:
    """Return the body with `offset` added to the numbers below `count`: escaped values replace these."""

    def shifted(match: re.Match[bytes]) -> bytes:
        number = int(match[1])
        return match[0].replace(match[1], b"%d" % (number + offset)) if number < count else match[0]

    return _PLACEHOLDER.sub(shifted, body)


def split(data: bytes) -> tuple[list[bytes], list[int]]:
    """Return the segments, each second of which is to be replaced, and the numbers of the placeholders."""
    segments = _PLACEHOLDER.split(data)
    return segments, [int(number) for number in segments[1::2]]


def check_body(body: bytes, variables: int, *, eight_bit: bool) -> None:
    """Raise CannotPrerender unless the body is sent as it is, whatever replaces the placeholders below `variables`.

    It is not if a transfer encoding is needed, or if a variable at its end may add white space, which is cut off.
    """
    if mime.has_long_line(body) or not (eight_bit or body.isascii()):
        raise CannotPrerender
    end = body[-_PLACEHOLDER_OCTETS_MAX:]
    if any(int(match[1]) < variables and end[match.end() :].isspace() for match in _PLACEHOLDER.finditer(end)):
        raise CannotPrerender


def lines(body: bytes) -> Iterator[Line]:
    """Yield the lines that have placeholders."""
    for line in body.split(b"\r\n"):
        segments, numbers = split(line)
        if numbers:
            yield Line(sum(map(len, segments[::2])), tuple(numbers))


def at_line_starts(data: bytes, variables: int) -> tuple[int, ...] | None:
    """Return the numbers below `variables` that lines begin with; None if a line begins with a fixed dot."""
    if b"\n." in data:
        return None
    numbers = {int(number) for number in _AT_LINE_START.findall(data)}
    return tuple(number for number in numbers if number < variables)
