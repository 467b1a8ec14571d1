"""Marks that stand for what will be filled in, and what lies between them once a mail is made of marks."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.messages import mime
from engine.tracking import tokens

_BEGIN, _END = "\x02", "\x03"
_BEYOND_ASCII = "é"
_MARK = re.compile(rb"\x02(\d+)(?:\xc3\xa9)?\x03")
_AT_LINE_START = re.compile(rb"\n\x02(\d+)")
_MARK_OCTETS_MAX = 16
# What HTML reads as an entity: it must not begin before a variable and end in it.
_ENTITY_AT_END = re.compile("&[A-Za-z0-9#]*$")


class Irregular(Exception):
    """The template makes mails that differ in more than their places."""


class Link(NamedTuple):
    """A tracked link: its number, and its target, of which the end may be a variable."""

    number: int
    begin: str
    variable: int | None


class Line(NamedTuple):
    """A line of the body in which something is filled in: the octets it has anyway, and the places."""

    octets: int
    places: tuple[int, ...]


class PlaceholderLinks:
    """The addresses of a mail made of marks; keeps its links as they are asked for.

    The marks say `opened`, `unsubscribe` and, for the links, `first_link` and the numbers after it.
    """

    def __init__(self, public_url: str, *, opened: int, unsubscribe: int | None, first_link: int) -> None:
        self._public_url = public_url
        self._first_link = first_link
        self.pixel = f"{public_url}/o/{mark(opened)}.gif"
        self.unsubscribe = "" if unsubscribe is None else f"{public_url}/u/{mark(unsubscribe)}"
        self.links: list[Link] = []

    def clicked(self, link: int, target: str) -> str:
        """The tracked address; Irregular or ValueError for a target that may have to be repaired."""
        asked = _as_link(link, target)
        if asked not in self.links:
            self.links.append(asked)
        return f"{self._public_url}/c/{mark(self._first_link + self.links.index(asked))}"


def _as_link(number: int, target: str) -> Link:
    begin, marked, rest = target.partition(_BEGIN)
    if not marked:
        tokens.destination(number, target)
        return Link(number, target, None)
    place, end, after = rest.partition(_END)
    if not end or after or _ENTITY_AT_END.search(begin):
        raise Irregular
    return Link(number, begin, int(place.rstrip(_BEYOND_ASCII)))


def mark(place: int, *, is_ascii: bool = True) -> str:
    """What stands for `place`; like what will be filled in, it is in ASCII or not."""
    return f"{_BEGIN}{place}{'' if is_ascii else _BEYOND_ASCII}{_END}"


def moved(marked: bytes, places: int, by: int) -> bytes:
    """The first `places` of them moved `by` so many: what is filled in there differs from what it is elsewhere."""

    def renamed(match: re.Match[bytes]) -> bytes:
        place = int(match[1])
        return match[0].replace(match[1], b"%d" % (place + by)) if place < places else match[0]

    return _MARK.sub(renamed, marked)


def split(marked: bytes) -> tuple[list[bytes], list[int]]:
    """What stands between the marks, with a gap for each of them, and their places."""
    found = _MARK.split(marked)
    return found, [int(place) for place in found[1::2]]


def check_body(body: bytes, variables: int, *, eight_bit: bool) -> None:
    """Irregular unless a part goes as it is, whatever the first `variables` of its places are filled with.

    It does not where spaces at its end are cut off, if a variable stands there.
    """
    if mime.has_long_line(body) or not (eight_bit or body.isascii()):
        raise Irregular
    end = body[-_MARK_OCTETS_MAX:]
    if any(int(match[1]) < variables and end[match.end() :].isspace() for match in _MARK.finditer(end)):
        raise Irregular


def lines(body: bytes) -> Iterator[Line]:
    """The lines in which something is filled in."""
    for line in body.split(b"\r\n"):
        pieces, places = split(line)
        if places:
            yield Line(sum(map(len, pieces[::2])), tuple(places))


def where_dots_may_begin(marked: bytes, variables: int) -> tuple[int, ...] | None:
    """The variables, of the first so many places, that lines begin with; None where a line begins with a dot anyway."""
    if b"\n." in marked:
        return None
    found = {int(place) for place in _AT_LINE_START.findall(marked)}
    return tuple(place for place in found if place < variables)
