"""Mails put together from pieces: a template made out once with a mark for all that differs, then only filled in.

A regular template makes mails that are the same to the byte but for the places where something is printed. So it is
composed once at length, with marks in those places, for each pattern of variables that are missing, empty, in ASCII or
in more; every mail after that is the pieces between the marks, with its own words in their places. Where that is not
sure to give the same bytes, nothing is given, and the mail is composed at length.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from markupsafe import escape

from engine.messages import headers, mime, sandbox, templates, variables
from engine.tracking import tokens

_PATTERNS_MAX = 128  # of one template; a skeleton is as large as a mail

# So much is expected of what is filled in; where more comes, every line is measured.
_VALUES_OCTETS, _ADDRESS_OCTETS = 256, 512

_SPECIAL = b"&<>'\""  # what HTML escapes
_BEGIN, _END = "\x02", "\x03"
_MARK = re.compile(rb"\x02(\d+)(?:\xc3\xa9)?\x03")
_ENTITY_AT_END = re.compile("&[A-Za-z0-9#]*$")

# The places of a mail besides its variables and links.
_OPENED, _UNSUBSCRIBE, _BOUNDARY, _TO, _SUBJECT, _DATE, _MESSAGE_ID = range(7)
_OTHERS = 7

Head = Callable[[str, str, str, str, str], str]
"""The head of a mail, from its To, Subject, Date and Message-ID lines and its unsubscribe address, if it has one."""


class Mail(NamedTuple):
    """What a mail has besides its variables; its fields are whole lines of the head."""

    signed: tokens.Mail
    to: str
    date: str
    message_id: str


class _Irregular(Exception):
    """The template makes mails that differ in more than their places."""


class _Link(NamedTuple):
    """A tracked link: its number, and its target, of which the end may be a variable."""

    number: int
    begin: str
    variable: int | None

    def destination(self, values: Sequence[str]) -> tokens.Destination:
        """Where it leads in a mail of these values; ValueError if that is no web address as it is."""
        target = self.begin if self.variable is None else self.begin + values[self.variable]
        return tokens.destination(self.number, target)


class _Line(NamedTuple):
    """A line of the body in which something is filled in: the octets it has anyway, and the places."""

    octets: int
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Skeleton:
    pieces: list[bytes]  # every second is filled in
    places: Callable[[Sequence[bytes]], tuple[bytes, ...]]
    subject: list[str]
    subject_places: Callable[[Sequence[str]], tuple[str, ...]]
    links: tuple[_Link, ...]
    fixed: tuple[tokens.Destination, ...] | None  # where the links lead, if that is the same in all mails
    octets_max: int  # of all values together
    lines: tuple[_Line, ...]
    risky: tuple[_Line, ...]  # those that become too long with as much as is expected


class Skeletons:
    """Of one template and one sender; safe to share between threads."""

    def __init__(self, template: templates.Template, public_url: str, head: Head) -> None:
        self._template = template
        self._public_url = public_url
        self._head = head
        required, self._optional = sorted(template.required), sorted(template.optional)
        self._names = (*required, *self._optional)
        self._required = _picking(required)
        self._made: dict[tuple[bool, ...], _Skeleton | None] = {}

    def fill(self, given: Mapping[str, object], mail: Mail, *, unsubscribes: bool, eight_bit: bool) -> bytes | None:
        """The mail; None where it has to be composed at length. ValueError if its subject is none."""
        try:
            values: Sequence[Any] = self._required(given)
            if self._optional:
                values = (*values, *[given.get(name, "") for name in self._optional])
            joined = "".join(values)
        except (KeyError, TypeError):
            return None
        if not joined.isprintable() or not variables.are_plain(given):
            return None
        pattern = (
            unsubscribes, eight_bit, *map(bool, values), *map(str.isascii, values),
            *map(given.__contains__, self._optional),
        )  # fmt: skip
        try:
            skeleton = self._made[pattern]
        except KeyError:
            skeleton = self._make(pattern)
        return None if skeleton is None else _filled(skeleton, values, mail, eight_bit)

    def _make(self, pattern: tuple[bool, ...]) -> _Skeleton | None:
        if len(self._made) >= _PATTERNS_MAX:
            return None
        try:
            made = self._skeleton(*pattern)
        except (_Irregular, templates.CannotRender, ValueError):
            made = None
        self._made[pattern] = made
        return made

    def _skeleton(self, unsubscribes: bool, eight_bit: bool, *of_values: bool) -> _Skeleton:
        count = len(self._names)
        others = 2 * count
        filled, ascii_only, given = of_values[:count], of_values[count : 2 * count], of_values[2 * count :]
        missing = {name for name, is_given in zip(self._optional, given, strict=True) if not is_given}
        values = {
            name: _mark(place, ascii_only[place]) if filled[place] else ""
            for place, name in enumerate(self._names)
            if name not in missing
        }
        addresses = _Marked(self._public_url, count, unsubscribes)
        subject, html, text = self._template.encode(values, addresses)
        html = _MARK.sub(lambda mark: _moved(mark, count), html)
        _check_body(text, count, eight_bit)
        _check_body(html, 2 * count, eight_bit)
        to, about, date, message_id = (_mark(others + other) for other in (_TO, _SUBJECT, _DATE, _MESSAGE_ID))
        whole = mime.alternative(
            text, html, boundary=_mark(others + _BOUNDARY).encode(), eight_bit=eight_bit,
            head=self._head(to, about, date, message_id, addresses.unsubscribe).encode(),
        )  # fmt: skip
        pieces, places = _split(whole)
        in_subject, subject_places = _split(subject.encode())
        links = tuple(addresses.links)
        is_fixed = all(link.variable is None for link in links)
        lines = tuple(_lines(text)) + tuple(_lines(html))
        return _Skeleton(
            pieces=pieces,
            places=_picking(places),
            subject=[piece.decode() for piece in in_subject],
            subject_places=_picking(subject_places),
            links=links,
            fixed=tuple(link.destination(()) for link in links) if is_fixed else None,
            octets_max=(sandbox.OUTPUT_BYTES_MAX - len(whole)) // len(places),
            lines=lines,
            risky=tuple(line for line in lines if _may_be_long(line, others)),
        )


def _filled(skeleton: _Skeleton, values: Sequence[str], mail: Mail, eight_bit: bool) -> bytes | None:
    """The mail of these values; None if one of its lines becomes too long or one of its links leads nowhere."""
    if skeleton.subject_places is _nothing:
        subject = skeleton.subject[0]
    else:
        words = skeleton.subject.copy()
        words[1::2] = skeleton.subject_places(values)
        subject = "".join(words)
    destinations = skeleton.fixed
    if destinations is None:
        try:
            destinations = tuple([link.destination(values) for link in skeleton.links])
        except ValueError:
            return None
    if not (eight_bit or mail.to.isascii()):
        return None
    signed = mail.signed
    in_text = [value.encode() for value in values]
    octets = b"".join(in_text)
    size = len(octets)
    if len(octets.translate(None, _SPECIAL)) == size:
        in_html = in_text
    else:
        in_html = [escape(value).encode() for value in values]
        size = sum(map(len, in_html))
    clicks = [signed.clicked(destination) for destination in destinations]
    filling = (
        *in_text, *in_html,
        signed.opened(), signed.unsubscribe(), signed.boundary(),
        mail.to.encode(), headers.text_field("Subject", subject).encode(), mail.date.encode(), mail.message_id.encode(),
        *clicks,
    )  # fmt: skip
    if size > skeleton.octets_max:
        return None
    is_usual = size <= _VALUES_OCTETS and (not clicks or max(map(len, clicks)) <= _ADDRESS_OCTETS)
    for line in skeleton.risky if is_usual else skeleton.lines:
        if line.octets + sum(len(filling[place]) for place in line.places) > mime.LINE_OCTETS_MAX:
            return None
    pieces = skeleton.pieces.copy()
    pieces[1::2] = skeleton.places(filling)
    return b"".join(pieces)


class _Marked:
    """The addresses of a mail that is made of marks; keeps its links as they are asked for."""

    def __init__(self, public_url: str, count: int, unsubscribes: bool) -> None:
        self._others = 2 * count
        self._public_url = public_url
        self.pixel = f"{public_url}/o/{_mark(self._others + _OPENED)}.gif"
        self.unsubscribe = f"{public_url}/u/{_mark(self._others + _UNSUBSCRIBE)}" if unsubscribes else ""
        self.links: list[_Link] = []

    def clicked(self, link: int, target: str) -> str:
        """The tracked address, with a mark; _Irregular for a target that may have to be repaired."""
        asked = _as_link(link, target)
        if asked not in self.links:
            self.links.append(asked)
        return f"{self._public_url}/c/{_mark(self._others + _OTHERS + self.links.index(asked))}"


def _as_link(number: int, target: str) -> _Link:
    begin, mark, rest = target.partition(_BEGIN)
    if not mark:
        tokens.destination(number, target)
        return _Link(number, target, None)
    place, end, after = rest.partition(_END)
    # What HTML reads as an entity must not begin before the variable and end in it.
    if not end or after or _ENTITY_AT_END.search(begin):
        raise _Irregular
    return _Link(number, begin, int(place.rstrip("é")))


def _mark(place: int, is_ascii: bool = True) -> str:
    return f"{_BEGIN}{place}{'' if is_ascii else 'é'}{_END}"


def _moved(mark: re.Match[bytes], count: int) -> bytes:
    """In HTML a variable has a place of its own, for it may be escaped there."""
    place = int(mark[1])
    return mark[0].replace(mark[1], b"%d" % (place + count)) if place < count else mark[0]


def _check_body(body: bytes, values: int, eight_bit: bool) -> None:
    """_Irregular unless a part goes as it is, whatever is filled in: not where a variable's last spaces are cut off."""
    if mime.has_long_line(body) or not (eight_bit or body.isascii()):
        raise _Irregular
    tail = body[-32:]
    if any(int(mark[1]) < values and tail[mark.end() :].isspace() for mark in _MARK.finditer(tail)):
        raise _Irregular


def _split(marked: bytes) -> tuple[list[bytes], list[int]]:
    """What stands between the marks, with a gap for each of them, and their places."""
    found = _MARK.split(marked)
    return [*found], [int(place) for place in found[1::2]]


def _lines(body: bytes) -> Iterable[_Line]:
    for line in body.split(b"\r\n"):
        pieces, places = _split(line)
        if places:
            yield _Line(sum(map(len, pieces[::2])), tuple(places))


def _may_be_long(line: _Line, values: int) -> bool:
    rooms = (_VALUES_OCTETS if place < values else _ADDRESS_OCTETS for place in line.places)
    return line.octets + sum(rooms) > mime.LINE_OCTETS_MAX


def _nothing(_: Any) -> tuple[Any, ...]:
    return ()


def _picking(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes these out of a mapping or a sequence, always as a tuple."""
    if not keys:
        return _nothing
    if len(keys) == 1:
        only = keys[0]
        return lambda of: (of[only],)
    return itemgetter(*keys)
