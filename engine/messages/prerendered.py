"""Prerendered messages: a simple template is rendered once with placeholders, and each e-mail only fills them.

The e-mails of a simple template (engine/templates/template_analysis.py) differ only in the values of its placeholders.
So one message is rendered in full for each pattern of variables that are absent, empty, ASCII or not. Every further
e-mail of the pattern joins the segments of that message with its own values. Where the result might differ from a full
render, no message is returned and the caller renders the e-mail in full.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from markupsafe import escape

from engine.messages import headers, mime, placeholders
from engine.messages.placeholders import CannotPrerender, Line, Link
from engine.templates import sandbox, templates, variables
from engine.tracking import tokens

PATTERNS_MAX = 128  # per template; the segments of a pattern are as large as a message

# The usual sizes at most; every line is measured only if a value is longer.
_VALUES_OCTETS, _TOKEN_OCTETS = 256, 300

_SPECIAL = b"&<>'\""  # escaped in HTML

# The numbers of placeholders: the variables in text, the variables in HTML, then these, then the links.
_OPENED, _UNSUBSCRIBE, _BOUNDARY, _TO, _SUBJECT, _DATE, _MESSAGE_ID = range(7)
_OTHERS = 7

Head = Callable[[str, str, str, str, str], str]
"""Returns the header of a message from its To, Subject, Date and Message-ID lines and its unsubscribe address."""


class EmailFields(NamedTuple):
    """The fields of an e-mail besides its variables; `to`, `date` and `message_id` are whole header lines.

    `message_id` has the Reply-To line, too, if each e-mail has its own.
    """

    signed: tokens.EmailTokens
    to: str
    date: str
    message_id: str


class Composed(NamedTuple):
    """The bytes of a message; `has_no_dots` is True if no line is known to begin with a dot."""

    data: bytes
    has_no_dots: bool


class PrerenderedTemplate:
    """The prerendered messages of one template and one sender; safe to share between threads."""

    def __init__(self, template: templates.Template, public_url: str, head: Head) -> None:
        self._template = template
        self._public_url = public_url
        self._head = head
        required, self._optional = sorted(template.required), sorted(template.optional)
        self._names = (*required, *self._optional)
        self._required = _getter(required)
        self._messages: dict[tuple[bool, ...], _PrerenderedMessage | None] = {}

    def fill(
        self, values: Mapping[str, object], fields: EmailFields, *, unsubscribes: bool, eight_bit: bool
    ) -> Composed | None:
        """Return the message; None if it must be rendered in full. Raise ValueError for an invalid subject."""
        try:
            texts: Sequence[Any] = self._required(values)
            if self._optional:
                texts = (*texts, *[values.get(name, "") for name in self._optional])
            joined = "".join(texts)
        except (KeyError, TypeError):
            return None
        if not (joined.isprintable() and variables.are_plain(values) and (eight_bit or fields.to.isascii())):
            return None
        pattern = (
            unsubscribes, eight_bit, *map(bool, texts), *map(str.isascii, texts),
            *map(values.__contains__, self._optional),
        )  # fmt: skip
        try:
            message = self._messages[pattern]
        except KeyError:
            message = self._add(pattern)
        return None if message is None else message.fill(texts, fields)

    def _add(self, pattern: tuple[bool, ...]) -> "_PrerenderedMessage | None":
        if len(self._messages) >= PATTERNS_MAX:
            return None
        try:
            message = self._prerender(*pattern)
        except (CannotPrerender, templates.CannotRender, ValueError):
            message = None
        self._messages[pattern] = message
        return message

    def _prerender(self, unsubscribes: bool, eight_bit: bool, *of_values: bool) -> "_PrerenderedMessage":
        count = len(self._names)
        values = self._placeholders(of_values[:count], of_values[count : 2 * count], of_values[2 * count :])
        others = 2 * count
        links = placeholders.PlaceholderLinks(
            self._public_url, opened=others + _OPENED, unsubscribe=others + _UNSUBSCRIBE if unsubscribes else None,
            first_link=others + _OTHERS,
        )  # fmt: skip
        subject, html, text = self._template.encode(values, links)
        html = placeholders.renumbered(html, count, count)
        for body in (text, html):
            placeholders.check_body(body, others, eight_bit=eight_bit)
        boundary, to, subject_line, date, message_id = (
            placeholders.placeholder(others + field) for field in (_BOUNDARY, _TO, _SUBJECT, _DATE, _MESSAGE_ID)
        )
        head = self._head(to, subject_line, date, message_id, links.unsubscribe).encode()
        message = mime.alternative(text, html, boundary=boundary.encode(), eight_bit=eight_bit, head=head)
        segments, numbers = placeholders.split(message)
        subject_segments, subject_numbers = placeholders.split(subject.encode())
        lines = (*placeholders.lines(text), *placeholders.lines(html))
        return _PrerenderedMessage(
            segments=segments,
            replacements=_getter(numbers),
            subject=[segment.decode() for segment in subject_segments],
            subject_replacements=_getter(subject_numbers),
            destinations=[_destination(link) for link in links.links],
            variable_links=tuple(
                (at, number, begin, variable)
                for at, (number, begin, variable) in enumerate(links.links)
                if variable is not None
            ),
            octets_max=(sandbox.OUTPUT_BYTES_MAX - len(message)) // len(numbers),
            lines=lines,
            long_lines=tuple(line for line in lines if _may_be_long(line, others)),
            line_starts=placeholders.at_line_starts(message, others),
        )

    def _placeholders(
        self, is_filled: Sequence[bool], is_ascii: Sequence[bool], is_present: Sequence[bool]
    ) -> dict[str, object]:
        """Return a placeholder or "" for each variable that is present."""
        absent = {name for name, present in zip(self._optional, is_present, strict=True) if not present}
        return {
            name: placeholders.placeholder(number, is_ascii=is_ascii[number]) if is_filled[number] else ""
            for number, name in enumerate(self._names)
            if name not in absent
        }


@dataclass(frozen=True, slots=True)
class _PrerenderedMessage:
    """The message of one pattern; each second item of `segments` and `subject` is replaced for each e-mail."""

    segments: list[bytes]
    replacements: Callable[[Sequence[bytes]], tuple[bytes, ...]]  # in the order of the segments
    subject: list[str]
    subject_replacements: Callable[[Sequence[str]], tuple[str, ...]]
    destinations: list[tokens.Destination]  # of the links; empty for one that ends in a variable
    variable_links: tuple[tuple[int, int, str, int], ...]  # these: index in `destinations`, and the fields of `Link`
    octets_max: int  # of all values together
    lines: tuple[Line, ...]
    long_lines: tuple[Line, ...]  # those that may become too long with values of usual size
    line_starts: tuple[int, ...] | None  # variables that lines begin with; None if a line begins with a dot anyway

    def fill(self, values: Sequence[str], fields: EmailFields) -> Composed | None:
        """Return the message with these values; None if a line becomes too long or a target is no web address."""
        try:
            clicks = fields.signed.all_clicked(self._destinations(values))
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
        signed, to, date, message_id = fields
        filling = (
            *in_text, *in_html, signed.opened(), signed.unsubscribe(), signed.boundary(), to.encode(),
            headers.text_field("Subject", self._subject(values)).encode(), date.encode(), message_id.encode(), *clicks,
        )  # fmt: skip
        if size > self.octets_max or self._has_long_line(filling, size, clicks):
            return None
        segments = self.segments.copy()
        segments[1::2] = self.replacements(filling)
        return Composed(b"".join(segments), self._has_no_dots(filling))

    def _destinations(self, values: Sequence[str]) -> Sequence[tokens.Destination]:
        """Return the targets of the links; raise ValueError if one is not a web address as it is."""
        if not self.variable_links:
            return self.destinations
        destinations = self.destinations.copy()
        for at, number, begin, variable in self.variable_links:
            destinations[at] = tokens.destination(number, begin + values[variable])
        return destinations

    def _subject(self, values: Sequence[str]) -> str:
        segments = self.subject.copy()
        segments[1::2] = self.subject_replacements(values)
        return "".join(segments)

    def _has_long_line(self, filling: Sequence[bytes], size: int, clicks: Sequence[bytes]) -> bool:
        is_usual = size <= _VALUES_OCTETS and (not clicks or max(map(len, clicks)) <= _TOKEN_OCTETS)
        for octets, numbers in self.long_lines if is_usual else self.lines:
            if octets + sum(len(filling[number]) for number in numbers) > mime.LINE_OCTETS_MAX:
                return True
        return False

    def _has_no_dots(self, filling: Sequence[bytes]) -> bool:
        if not self.line_starts:
            return self.line_starts is not None
        return not any(filling[number].startswith(b".") for number in self.line_starts)


def _destination(link: Link) -> tokens.Destination:
    return tokens.destination(link.number, link.begin) if link.variable is None else b""


def _may_be_long(line: Line, variables: int) -> bool:
    """Return True if values of usual size may make the line too long."""
    sizes = (_VALUES_OCTETS if number < variables else _TOKEN_OCTETS for number in line.numbers)
    return line.octets + sum(sizes) > mime.LINE_OCTETS_MAX


def _getter(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that takes the items at these keys, always as a tuple."""
    if not keys:
        return lambda _: ()
    if len(keys) == 1:
        only = keys[0]
        return lambda items: (items[only],)
    return itemgetter(*keys)
