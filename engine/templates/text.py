"""Derive the plain text of a template from its HTML when it is compiled."""

import re
from collections.abc import Iterator, Mapping

from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml import html as parser

from engine.templates.mask import OPEN, PLACEHOLDER, Mask

_PARTS = ("table", "tbody", "thead", "tfoot", "tr", "td", "th")
# A table with code between its cells has no fixed grid: its rows become lines.
_IN_LINES = {**dict.fromkeys(_PARTS, "div"), "td": "span", "th": "span"}
# Ways to hide the preheader: the line that mail programs show beside the subject.
_HIDDEN = re.compile(
    r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden"
    r"|(?:opacity|max-height)\s*:\s*0(?:\.0+)?(?:px)?\s*(?:!important\s*)?(?:;|$))",
    re.IGNORECASE,
)


def of_html(mask: Mask, html: str) -> str:
    """Return the masked HTML as masked text: layout tables become paragraphs, a link is followed by its <address>.

    Addresses are in angle brackets (RFC 3986 appendix C); elements hidden by CSS are omitted.
    """
    tree = parser.document_fromstring(mask.without_comments(html))
    for element in list(tree.iter("*")):
        if is_hidden(element):
            element.drop_tree()
    for table in list(tree.iter("table")):
        if table.get("role") == "presentation":
            _retag(table, dict.fromkeys(_PARTS, "div"))
        elif any(OPEN in text for part in _parts(table) for text in _between(part)):
            _retag(table, _IN_LINES)
    for area in tree.iter("area"):  # of an image map
        area.tag, area.text, area.tail = "a", area.get("alt", ""), f" {area.tail or ''}"
    for anchor in tree.iter("a"):
        _spell_out(anchor)
    text = Inscriptis(tree, ParserConfig(css=STRICT_CSS_PROFILE)).get_text()
    return tidy(mask, text)


def is_hidden(element: parser.HtmlElement) -> bool:
    """Return True if CSS or the attribute `hidden` hides the element."""
    return bool(_HIDDEN.search(element.get("style", ""))) or element.get("hidden") is not None


def tidy(mask: Mask, text: str) -> str:
    """Return the text without double blank lines; a line of only statements is joined to the next line."""
    lines: list[str] = []
    statements = ""
    for line in (one.rstrip() for one in text.split("\n")):
        if line and _only_statements(mask, line):
            statements += line.strip()
        elif line or (lines and lines[-1]):
            lines.append(statements + line)
            statements = ""
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines).lstrip("\n") + statements + "\n"


def _parts(table: parser.HtmlElement) -> Iterator[parser.HtmlElement]:
    """Yield the table and its sections, rows and cells, without those of nested tables."""
    for part in table.iter(*_PARTS):
        if part is table or (part.tag != "table" and next(part.iterancestors("table"), None) is table):
            yield part


def _between(part: parser.HtmlElement) -> Iterator[str]:
    """Yield the text that lies directly in the part, unless it is a cell."""
    if part.tag not in ("td", "th"):
        yield part.text or ""
        yield from (child.tail or "" for child in part)


def _retag(table: parser.HtmlElement, tags: Mapping[str, str]) -> None:
    for part in list(_parts(table)):
        part.tag = tags[part.tag]
        if part.tag == "span":
            part.tail = f" {part.tail or ''}"


def _spell_out(anchor: parser.HtmlElement) -> None:
    address = anchor.get("href", "").removeprefix("mailto:")
    words = anchor.text_content().strip()
    if not address or address.startswith("#") or words == address:
        return
    last = anchor[-1] if len(anchor) else None
    address_text = f" <{address}>" if words else address
    if last is None:
        anchor.text = (anchor.text or "").rstrip() + address_text
    else:
        last.tail = (last.tail or "").rstrip() + address_text


def _only_statements(mask: Mask, line: str) -> bool:
    numbers = [int(number) for number in PLACEHOLDER.findall(line)]
    return not PLACEHOLDER.sub("", line).strip() and all(mask.codes[number].kind == "statement" for number in numbers)
