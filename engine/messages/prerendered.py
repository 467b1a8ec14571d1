"""Mails put together from pieces: a template made out once with marks for all that differs, then only filled in.

A regular template makes mails that are the same to the byte but for the places where something is printed. So it is
composed once at length, with marks in those places, for each pattern of variables that are missing, empty, in ASCII or
in more; every mail after that is the pieces between the marks, with its own words in their places. Where that is not
sure to give the same bytes, nothing is given, and the mail is composed at length.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from markupsafe import escape

from engine.messages import headers, mime, placeholders
from engine.messages.placeholders import Irregular, Line, Link
from engine.templates import sandbox, templates, variables
from engine.tracking import tokens

_PATTERNS_MAX = 128  # of one template; a skeleton is as large as a mail

# So much is expected of what is filled in; where more comes, every line is measured.
_VALUES_OCTETS, _ADDRESS_OCTETS = 256, 300

_SPECIAL = b"&<>'\""  # what HTML escapes

# The places of a mail are those of its variables in text, of its variables in HTML, then these, then its links.
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


class Filled(NamedTuple):
    """A mail, and whether it is known that none of its lines begins with a dot."""

    data: bytes
    has_no_dots: bool


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

    def fill(self, given: Mapping[str, object], mail: Mail, *, unsubscribes: bool, eight_bit: bool) -> Filled | None:
        """The mail; None where it has to be composed at length. ValueError if its subject is none."""
        try:
            values: Sequence[Any] = self._required(given)
            if self._optional:
                values = (*values, *[given.get(name, "") for name in self._optional])
            joined = "".join(values)
        except (KeyError, TypeError):
            return None
        if not (joined.isprintable() and variables.are_plain(given) and (eight_bit or mail.to.isascii())):
            return None
        pattern = (
            unsubscribes, eight_bit, *map(bool, values), *map(str.isascii, values),
            *map(given.__contains__, self._optional),
        )  # fmt: skip
        try:
            skeleton = self._made[pattern]
        except KeyError:
            skeleton = self._make(pattern)
        return None if skeleton is None else skeleton.fill(values, mail)

    def _make(self, pattern: tuple[bool, ...]) -> "_Skeleton | None":
        if len(self._made) >= _PATTERNS_MAX:
            return None
        try:
            made = self._skeleton(*pattern)
        except (Irregular, templates.CannotRender, ValueError):
            made = None
        self._made[pattern] = made
        return made

    def _skeleton(self, unsubscribes: bool, eight_bit: bool, *of_values: bool) -> "_Skeleton":
        count = len(self._names)
        given = self._marked(of_values[:count], of_values[count : 2 * count], of_values[2 * count :])
        others = 2 * count
        addresses = placeholders.PlaceholderLinks(
            self._public_url, opened=others + _OPENED, unsubscribe=others + _UNSUBSCRIBE if unsubscribes else None,
            first_link=others + _OTHERS,
        )  # fmt: skip
        subject, html, text = self._template.encode(given, addresses)
        html = placeholders.moved(html, count, count)
        for body in (text, html):
            placeholders.check_body(body, others, eight_bit=eight_bit)
        boundary, *fields = (
            placeholders.mark(others + field) for field in (_BOUNDARY, _TO, _SUBJECT, _DATE, _MESSAGE_ID)
        )
        to, about, date, message_id = fields
        head = self._head(to, about, date, message_id, addresses.unsubscribe).encode()
        whole = mime.alternative(text, html, boundary=boundary.encode(), eight_bit=eight_bit, head=head)
        pieces, places = placeholders.split(whole)
        in_subject, subject_places = placeholders.split(subject.encode())
        lines = (*placeholders.lines(text), *placeholders.lines(html))
        return _Skeleton(
            pieces=pieces,
            places=_picking(places),
            subject=[piece.decode() for piece in in_subject],
            subject_places=_picking(subject_places),
            destinations=[_destination(link) for link in addresses.links],
            varying=tuple(
                (at, number, begin, variable)
                for at, (number, begin, variable) in enumerate(addresses.links)
                if variable is not None
            ),
            octets_max=(sandbox.OUTPUT_BYTES_MAX - len(whole)) // len(places),
            lines=lines,
            risky=tuple(line for line in lines if _may_be_long(line, others)),
            with_dots=placeholders.where_dots_may_begin(whole, others),
        )

    def _marked(self, filled: Sequence[bool], ascii_only: Sequence[bool], given: Sequence[bool]) -> dict[str, object]:
        """Variables made of marks."""
        missing = {name for name, is_given in zip(self._optional, given, strict=True) if not is_given}
        return {
            name: placeholders.mark(place, is_ascii=ascii_only[place]) if filled[place] else ""
            for place, name in enumerate(self._names)
            if name not in missing
        }


@dataclass(frozen=True, slots=True)
class _Skeleton:
    """The pieces of one pattern's mails; every second of `pieces` and of `subject` is filled in."""

    pieces: list[bytes]
    places: Callable[[Sequence[bytes]], tuple[bytes, ...]]
    subject: list[str]
    subject_places: Callable[[Sequence[str]], tuple[str, ...]]
    destinations: list[tokens.Destination]  # of its links, but for those that lead to what a variable says
    varying: tuple[tuple[int, int, str, int], ...]  # which these are, and a `Link` each
    octets_max: int  # of all values together
    lines: tuple[Line, ...]
    risky: tuple[Line, ...]  # those that become too long with as much as is expected
    with_dots: tuple[int, ...] | None  # the places that lines begin with; None where one begins with a dot anyway

    def fill(self, values: Sequence[str], mail: Mail) -> Filled | None:
        """The mail of these values; None if a line of it becomes too long or a link leads nowhere."""
        try:
            clicks = mail.signed.all_clicked(self._destinations(values))
        except ValueError:
            return None
        in_text = [value.encode() for value in values]
        octets = b"".join(in_text)
        size = len(octets)
        if len(octets.translate(None, _SPECIAL)) == size:
            in_html = in_text
        else:
            in_html = [escape(value).encode() for value in values]
            size = sum(map(len, in_html))
        signed, to, date, message_id = mail
        filling = (
            *in_text, *in_html, signed.opened(), signed.unsubscribe(), signed.boundary(), to.encode(),
            headers.text_field("Subject", self._subject(values)).encode(), date.encode(), message_id.encode(), *clicks,
        )  # fmt: skip
        if size > self.octets_max or self._has_long_line(filling, size, clicks):
            return None
        pieces = self.pieces.copy()
        pieces[1::2] = self.places(filling)
        return Filled(b"".join(pieces), self._has_no_dots(filling))

    def _destinations(self, values: Sequence[str]) -> Sequence[tokens.Destination]:
        """Where its links lead; ValueError if one is no web address as it is."""
        if not self.varying:
            return self.destinations
        destinations = self.destinations.copy()
        for at, number, begin, variable in self.varying:
            destinations[at] = tokens.destination(number, begin + values[variable])
        return destinations

    def _subject(self, values: Sequence[str]) -> str:
        words = self.subject.copy()
        words[1::2] = self.subject_places(values)
        return "".join(words)

    def _has_long_line(self, filling: Sequence[bytes], size: int, clicks: Sequence[bytes]) -> bool:
        is_usual = size <= _VALUES_OCTETS and (not clicks or max(map(len, clicks)) <= _ADDRESS_OCTETS)
        for octets, places in self.risky if is_usual else self.lines:
            if octets + sum(len(filling[place]) for place in places) > mime.LINE_OCTETS_MAX:
                return True
        return False

    def _has_no_dots(self, filling: Sequence[bytes]) -> bool:
        if not self.with_dots:
            return self.with_dots is not None
        return not any(filling[place].startswith(b".") for place in self.with_dots)


def _destination(link: Link) -> tokens.Destination:
    return tokens.destination(link.number, link.begin) if link.variable is None else b""


def _may_be_long(line: Line, variables: int) -> bool:
    """Whether a line becomes too long if all is filled in that is expected at most."""
    rooms = (_VALUES_OCTETS if place < variables else _ADDRESS_OCTETS for place in line.places)
    return line.octets + sum(rooms) > mime.LINE_OCTETS_MAX


def _picking(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes these out of a mapping or a sequence, always as a tuple."""
    if not keys:
        return lambda _: ()
    if len(keys) == 1:
        only = keys[0]
        return lambda of: (of[only],)
    return itemgetter(*keys)
