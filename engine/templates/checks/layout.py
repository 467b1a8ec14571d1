"""The body of a template as mail programs see it, each element with its place in the source."""

import re

from lxml import html as parser

from engine.templates import compiling
from engine.templates.checks import css
from engine.templates.checks.findings import Body
from engine.templates.markup import mjml
from engine.templates.markup.tags import Tag

_PLACE = "data-at"
_CLASS = re.compile(r"(?:^|\s)at-(\d+)(?=\s|$)")
_CHARS_MAX = 1_000_000
_NOT_MARKED = frozenset({"html", "head", "meta", "title", "style", "link", "mjml", "mj-raw"})


def html_of(body: Body, *, is_dark: bool = False) -> str | None:
    """Return the masked HTML with its CSS in the elements, as in dark mode or not; None if it becomes too long.

    Raise TemplateSyntaxError if the MJML is invalid.
    """
    html = _marked(body)
    if body.is_mjml:
        html = mjml.to_html(html, body.mask, body.places)
    if is_dark:
        rules = "".join(css.dark(tag.content) for tag in body.tags if tag.name in ("style", "mj-style"))
        html = html.replace("</head>", f"<style>{rules}</style></head>", 1)
    html = compiling.inlined(html)
    return html if len(html) <= _CHARS_MAX else None


def parsed(html: str) -> parser.HtmlElement:
    """Return the document; placeholders for code stay comments."""
    return parser.document_fromstring(html, parser=parser.HTMLParser(huge_tree=False))


def has_dark_mode(body: Body) -> bool:
    """Return True if the template has rules for dark mode."""
    return any(css.dark(tag.content).strip() for tag in body.tags if tag.name in ("style", "mj-style"))


def place_of(element: parser.HtmlElement) -> int:
    """Return the offset of an element in the source, or of the nearest one around it; 0 if there is none."""
    for each in (element, *element.iterancestors()):
        if (at := each.get(_PLACE)) is not None:
            return int(at)
        if match := _CLASS.search(each.get("class", "")):
            return int(match[1])
    return 0


def _marked(body: Body) -> str:
    """Return the source with the offset of each tag in it: as an attribute, or as a class that MJML passes on."""
    pieces: list[str] = []
    end, in_body = 0, not body.is_mjml
    for tag in body.tags:
        in_body |= tag.name == "mj-body"
        if not in_body or tag.name in _NOT_MARKED:
            continue
        at, mark = _mark(tag)
        pieces += (body.masked[end:at], mark)
        end = at
    return "".join(pieces) + body.masked[end:]


def _mark(tag: Tag) -> tuple[int, str]:
    if not tag.name.startswith("mj-"):
        return tag.at + 1 + len(tag.name), f' {_PLACE}="{tag.at}"'
    classes = tag.attributes.get("css-class")
    if classes and classes.is_quoted:
        return classes.at, f"at-{tag.at} "
    return tag.at + 1 + len(tag.name), f' css-class="at-{tag.at}"'
