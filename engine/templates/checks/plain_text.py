"""Check that body.txt has the words and links of the HTML."""

import re
from collections.abc import Iterator
from html import unescape

from engine.templates import compiling, text
from engine.templates.checks.findings import Body, Finding, Severity
from engine.templates.mask import OPEN, PLACEHOLDER, Mask

PART = "body.txt"
SHARED_MIN = 0.5  # of the longer words of the HTML
_WORDS_MIN = 20
_WORD = re.compile(r"\w{4,}")
_LINKED = frozenset({"a", "area", "mj-button", "mj-navbar-link"})


def unlike(body: Body, html: str) -> Iterator[Finding]:
    """Yield a finding if body.txt lacks links or most words of the HTML, given masked and compiled in `html`."""
    if not body.template.has(PART):
        return
    mask = Mask()
    written = mask.hide_in_text(compiling.segments_of(body.template, PART, body.sender))
    yield from _missing_links(body, " ".join(mask.restore(written).split()))
    wanted = _words(text.of_html(body.mask, html))
    missing = wanted - _words(written)
    if len(wanted) >= _WORDS_MIN and len(missing) > (1 - SHARED_MIN) * len(wanted):
        share = 1 - len(missing) / len(wanted)
        message = f"it has {share:.0%} of the words of the HTML, such as not “{min(missing)}”"
        remedy = "say the same in both, or remove body.txt: then it is derived from the HTML"
        yield Finding(PART, 1, "text", Severity.WARNING, message, remedy)


def _missing_links(body: Body, written: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for tag in body.tags:
        href = tag.attributes.get("href") if tag.name in _LINKED else None
        target = unescape(body.mask.restore(href.value)) if href else ""
        if href is None or target in seen or target.startswith(("#", "mailto:", "tel:")) or not target:
            continue
        seen.add(target)
        if target not in written and "unsubscribe_url" not in target:
            message = f"the link to “{target[:60]}” is not in body.txt" if "@" not in target else "a link is not there"
            yield body.finding(href.at, "text", Severity.WARNING, message, "add it, or remove body.txt")


def _words(masked: str) -> frozenset[str]:
    return frozenset(_WORD.findall(PLACEHOLDER.sub(" ", masked).replace(OPEN, " ").lower()))
