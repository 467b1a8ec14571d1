"""Check that text can be read on its background, also in dark mode (WCAG 2.2 section 1.4.3)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import html as parser

from engine.templates import brand, text
from engine.templates.checks import colors, css, layout
from engine.templates.checks.findings import Body, Finding, Severity
from engine.templates.mask import CLOSE, OPEN

CONTRAST_MIN = brand.CONTRAST_MIN
_URL = re.compile(r"url\([^)]*\)|\w+-gradient\(.*")
_NOTHING = re.compile(r"0(?:\.0+)?(?:px|em|%)?")
_VISIBLE = re.compile(f"[^\\s\u00a0\u00ad\u034f\u200b-\u200f\u2060\ufeff{OPEN}{CLOSE}]")
_NOT_SHOWN = frozenset({"head", "style", "script", "title"})
_LINK = "#0000ee"  # of a link without a colour of its own, in every browser


@dataclass(frozen=True, slots=True)
class _Look:
    """The look of text: colours are None if they depend on code or a picture."""

    color: str | None = "#000000"
    background: str | None = "#ffffff"
    is_shown: bool = True


def unreadable(body: Body, document: parser.HtmlElement, *, is_dark: bool = False) -> Iterator[Finding]:
    """Yield elements with text whose contrast is too low; `document` has its styles inlined."""
    seen: set[tuple[int, str, str]] = set()
    waiting: list[tuple[parser.HtmlElement, _Look]] = [(document, _Look())]
    while waiting:
        element, around = waiting.pop()
        look = _look(element, around)
        if element.tag in _NOT_SHOWN or text.is_hidden(element):
            continue
        waiting += [(child, look) for child in element.iterchildren("*")]
        if not (look.is_shown and look.color and look.background and _has_text(element)):
            continue
        place = (layout.place_of(element), look.color, look.background)
        contrast = brand.contrast(look.color, look.background)
        if contrast < CONTRAST_MIN and place not in seen:
            seen.add(place)
            yield _finding(body, place, contrast, is_dark=is_dark)


def _finding(body: Body, place: tuple[int, str, str], contrast: float, *, is_dark: bool) -> Finding:
    at, color, background = place
    mode = " in dark mode" * is_dark
    message = f"text in {color} on {background} has a contrast of {contrast:.2f}{mode}; {CONTRAST_MIN} are needed"
    step = 1 if brand.Brand.text_on(background) == "#ffffff" else -1
    better = brand.readable(color, on=background, step=step)
    remedy = f"write it in {better}, or change the background"
    return body.finding(at, "contrast", Severity.ERROR, message, remedy)


def _look(element: parser.HtmlElement, around: _Look) -> _Look:
    style = css.declarations(element.get("style", ""))
    look = around
    if element.tag == "a" and "color" not in style and element.get("href") is not None:
        look = replace(look, color=_LINK)
    written = style.get("color") or (element.get("color") if element.tag == "font" else element.get("text"))
    if written and written != "inherit":
        look = replace(look, color=None if OPEN in written else colors.read(written) or look.color)
    backgrounds = [value for name, value in style.items() if name in ("background", "background-color")]
    background = backgrounds[-1] if backgrounds else element.get("bgcolor")
    if background:
        look = replace(look, background=_background(background, look.background))
    if size := style.get("font-size"):
        look = replace(look, is_shown=not _NOTHING.fullmatch(size))
    return look


def _background(written: str, behind: str | None) -> str | None:
    if OPEN in written:
        return None
    color = colors.read(_URL.sub(" ", written))
    if "url(" in written or "gradient(" in written:
        return color  # the colour is what shows without pictures
    opaque = "transparent" in written or "none" in written or "inherit" in written
    return color or (behind if opaque else None)


def _has_text(element: parser.HtmlElement) -> bool:
    """Return True if visible words or values stand directly in the element."""
    return any(_VISIBLE.search(words) for words in (element.text or "", *(child.tail or "" for child in element)))
