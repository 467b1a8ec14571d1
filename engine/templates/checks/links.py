"""Check links, pictures, and the way to unsubscribe."""

from collections.abc import Iterator

from engine.templates import links
from engine.templates.checks.findings import Body, Finding, Severity
from engine.templates.markup.tags import Tag
from engine.templates.mask import OPEN

_LINKS = frozenset({"a", "area", "mj-button", "mj-image", "mj-navbar-link", "mj-social-element"})
_PICTURES = frozenset({"img", "mj-image", "mj-social-element"})
_SHOWN = 60


def targets(body: Body) -> Iterator[Finding]:
    """Yield links and pictures that lead nowhere, or over a connection that is not encrypted."""
    for tag in body.tags:
        if tag.name in _LINKS and "href" in tag.attributes:
            yield from _of_link(body, tag)
        if tag.name in _PICTURES and "src" in tag.attributes:
            yield from _of_picture(body, tag)


def missing_words(body: Body) -> Iterator[Finding]:
    """Yield pictures without `alt`, which say nothing to readers who do not see them."""
    for tag in body.tags:
        if tag.name in ("img", "area", "mj-image") and "alt" not in tag.attributes:
            remedy = 'say in alt what it shows, or write alt="" if it is only an ornament'
            yield body.finding(tag.at, "alt", Severity.ERROR, f"{tag.shown} has no alt", remedy)


def unsubscribe(body: Body) -> Iterator[Finding]:
    """Yield a finding if the body has no unsubscribe link, so that a line is added to it."""
    if not any(links.UNSUBSCRIBE in segment.words for segment in body.segments):
        message = "there is no unsubscribe link, so a line in Spanish is added at the end of marketing e-mails"
        remedy = 'write {% if unsubscribe_url %}<a href="{{ unsubscribe_url }}">…</a>{% endif %} where it belongs'
        yield Finding(body.name, 1, "unsubscribe", Severity.WARNING, message, remedy)


def _of_link(body: Body, tag: Tag) -> Iterator[Finding]:
    href, at = tag.attributes["href"].value.strip(), tag.attributes["href"].at
    if href in ("", "#"):
        yield body.finding(at, "link", Severity.WARNING, "the link leads nowhere", "give it an address")
    elif OPEN not in href and (fault := None if href.startswith("#") else links.fault_of_fixed(href)):
        message = f"the link to {_shown(href)} {fault}"
        yield body.finding(at, "link", Severity.ERROR, message, "write an address that begins with https://")
    elif href.lower().startswith("http:"):
        message = f"the link to {_shown(href)} is not encrypted"
        yield body.finding(at, "insecure", Severity.WARNING, message, "write https:// in place of http://")


def _of_picture(body: Body, tag: Tag) -> Iterator[Finding]:
    source, at = tag.attributes["src"].value.strip(), tag.attributes["src"].at
    scheme = source.lower().partition(":")[0]
    if scheme == "http":
        message = "the picture comes over a connection that is not encrypted, so that some programs do not show it"
        yield body.finding(at, "insecure", Severity.WARNING, message, "write https:// in place of http://")
    elif scheme == "data":
        message = "the picture is in the HTML; Gmail and Outlook do not show it"
        yield body.finding(at, "picture", Severity.WARNING, message, "put it on a server")
    elif not source.startswith(OPEN) and scheme not in ("https", "cid"):
        message = f"the picture {_shown(source)} has no address that a mail program could open"
        yield body.finding(at, "picture", Severity.ERROR, message, "write its whole address, from https:// on")


def _shown(address: str) -> str:
    return "this address" if "@" in address else f"“{address[:_SHOWN].partition(OPEN)[0]}”"
