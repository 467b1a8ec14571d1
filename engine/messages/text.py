"""The plain text of a mail, made from its HTML when the template is compiled."""

import re
from collections.abc import Iterable

from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml import html as parser

from engine.messages import mask as masks
from engine.messages.mask import MARK, Mask

_LAYOUT = ("table", "tbody", "thead", "tfoot", "tr", "td", "th")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def of_html(mask: Mask, html: str) -> str:
    """The masked HTML as masked text: tables of layout are paragraphs, a link is followed by its <address>.

    Addresses stand in angle brackets, RFC 3986 appendix C; what CSS hides is left out.
    """
    tree = parser.document_fromstring(masks.plain(html))
    for element in list(tree.iter(*_LAYOUT)):
        if _is_layout(element):
            element.tag = "div"
    for element in list(tree.iter("*")):
        if _HIDDEN.search(element.get("style", "")):
            element.drop_tree()
    for anchor in tree.iter("a"):
        _spell_out(anchor)
    text = Inscriptis(tree, ParserConfig(css=STRICT_CSS_PROFILE)).get_text()
    return tidy(mask, text)


def tidy(mask: Mask, text: str) -> str:
    """The text with one blank line at most, and no line that holds only statements: they join the line after."""
    lines: list[str] = []
    held = ""
    for line in (one.rstrip() for one in text.split("\n")):
        if line and _only_statements(mask, line):
            held += line.strip()
        elif line or (lines and lines[-1] and not held):
            lines.append(held + line)
            held = ""
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines).lstrip("\n") + held + "\n"


def _is_layout(element: parser.HtmlElement) -> bool:
    tables: Iterable[parser.HtmlElement] = element.iterancestors("table")
    table = element if element.tag == "table" else next(iter(tables), None)
    return table is None or table.get("role") == "presentation"


def _spell_out(anchor: parser.HtmlElement) -> None:
    address = anchor.get("href", "").removeprefix("mailto:")
    words = anchor.text_content().strip()
    if not address or address.startswith("#") or words == address:
        return
    last = anchor[-1] if len(anchor) else None
    spelled = f" <{address}>" if words else address
    if last is None:
        anchor.text = (anchor.text or "").rstrip() + spelled
    else:
        last.tail = (last.tail or "").rstrip() + spelled


def _only_statements(mask: Mask, line: str) -> bool:
    numbers = [int(number) for number in MARK.findall(line)]
    return not MARK.sub("", line).strip() and all(mask.codes[number].kind == "statement" for number in numbers)
