"""Preview a template: its e-mail as a reader sees it, with plain links and without tracking."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from lxml import html as parser

from engine.messages import compose, links
from engine.templates import compiling
from engine.templates import links as targets
from engine.templates.templates import Template
from engine.tracking import tokens
from errors import Fault
from models.email import MARKETING

CLIPPED_AT = compiling.CLIPPED_AT
LINKS_MAX = 50
INBOX_CHARS = 140
_UNSUBSCRIBE = "#unsubscribe"  # leads nowhere
_WORDS_MAX, _TARGET_MAX = 80, 200
_INVISIBLE = re.compile("[\\s\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")  # fills the rest of the line beside a preheader
_NOBODY, _EVER = UUID(int=0), datetime(2000, 1, 1, tzinfo=UTC)
_SIGNER = tokens.Signer([b"of messages that are only measured"])


class Link(NamedTuple):
    """A link of an e-mail: its target, its words, and a note.

    The note is `insecure` (http), `unsafe` (a scheme such as javascript), `nowhere`, `unsubscribe`, or empty.
    """

    target: str
    words: str
    note: str


@dataclass(frozen=True, slots=True)
class Preview:
    """An e-mail that was rendered for a preview.

    `inbox_line` is what mail programs show beside the subject. `octets` is the size of the whole message with tracked
    links, None if no message can be made. `links` has the first ones, `link_count` counts all; `remote_pictures` counts
    the pictures on other servers. `faults` say why an e-mail with these variables would be refused.
    """

    subject: str
    inbox_line: str
    text: str
    octets: int | None
    links: tuple[Link, ...]
    link_count: int
    remote_pictures: int
    faults: tuple[Fault, ...]


@lru_cache(maxsize=256)
def sample_subject(template: Template) -> str:
    """Return the subject with the sample values. Raises CannotRender."""
    return template.subject(template.sample)


def of(template: Template, variables: Mapping[str, object], sender: compose.From) -> Preview:
    """Return the preview of a template with these variables, as this sender would send it.

    Raise CannotRender if the template fails on them.
    """
    subject, html, text = template.encode(variables, links.PlainLinks(_UNSUBSCRIBE))
    document = _parsed(html)
    elements = [element for element in document.iter("a", "area") if element.get("href") is not None]
    shown = [link for link in map(_link, elements) if link is not None]
    return Preview(
        subject=" ".join(subject.split()),
        inbox_line=_inbox_line(document),
        text=text.decode(),
        octets=_octets(template, variables, sender),
        links=tuple(shown[:LINKS_MAX]),
        link_count=len(shown),
        remote_pictures=sum(1 for element in document.iter("img") if tokens.is_web(element.get("src") or "")),
        faults=tuple(template.check(variables)),
    )


def html(template: Template, variables: Mapping[str, object]) -> bytes:
    """Return the HTML of an e-mail for a frame that runs nothing; raise CannotRender if the template fails."""
    return compiling.without_pixel(template.encode(variables, links.PlainLinks(_UNSUBSCRIBE))[1])


@dataclass(frozen=True, slots=True)
class _One:
    """The template of every e-mail."""

    template: Template

    def pinned(self, name: str, version: int | None) -> Template:  # noqa: ARG002  # as of a library
        """Return the template."""
        return self.template

    def forget(self, name: str, version: int | None = None) -> None:
        """Keep it."""

    def forget_edited(self) -> list[str]:
        """Keep it."""
        return []


def _parsed(html: bytes) -> parser.HtmlElement:
    return parser.document_fromstring(html.decode(), parser=parser.HTMLParser(huge_tree=False))


def _link(element: parser.HtmlElement) -> Link | None:
    """Return the link, or None for the hidden one that only scanners follow."""
    target = (element.get("href") or "").strip()
    words = " ".join((element.text_content() or element.get("alt") or "").split())
    if element.get("aria-hidden") == "true" and not words:
        return None
    return Link(target[:_TARGET_MAX], words[:_WORDS_MAX], _note(target))


def _note(target: str) -> str:
    if target == _UNSUBSCRIBE:
        return "unsubscribe"
    if target in ("", "#"):
        return "nowhere"
    if tokens.is_web(target):
        return "insecure" if urlsplit(target).scheme.lower() == "http" else ""
    return "" if targets.is_harmless(target) else "unsafe"


def _inbox_line(document: parser.HtmlElement) -> str:
    """Return the first words of the body, including hidden ones, as a preheader is."""
    line = ""
    for words in islice(_words(document), INBOX_CHARS):
        line = f"{line} {words}".strip()
        if len(line) >= INBOX_CHARS:
            return line[:INBOX_CHARS].rstrip() + "…"
    return line


def _words(document: parser.HtmlElement) -> Iterator[str]:
    for part in document.xpath("//body//text()[not(ancestor::style or ancestor::script)]"):
        if words := _INVISIBLE.sub(" ", part).strip():
            yield words


def _octets(template: Template, variables: Mapping[str, object], sender: compose.From) -> int | None:
    """Return the size of the message, composed for an example address and signed with a key of its own."""
    composer = compose.Composer(_One(template), _SIGNER, sender)
    fields = ("0@preview.invalid", "nobody@preview.invalid", None, template.name, variables, MARKETING)
    nobody = compose.Email(_NOBODY, *fields)
    try:
        return len(composer.render(nobody, now=_EVER, eight_bit=True))
    except ValueError:  # of a header: `faults` name the variable
        return None
