"""Compile masked MJML to masked HTML by the library mrml."""

import re
from hashlib import sha256
from html.entities import html5

import mrml
from jinja2.exceptions import TemplateSyntaxError

import errors
from engine.templates.markup import balance, tags
from engine.templates.markup.places import Places
from engine.templates.markup.tags import Tag
from engine.templates.mask import CLOSE, OPEN, Mask

# Elements whose content is elements; those in which code may stand between them, as mrml keeps it in its place.
_AROUND_CODE = frozenset({"mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero", "mj-navbar"})
_WITHOUT_CODE = frozenset({"mjml", "mj-head", "mj-attributes", "mj-social", "mj-accordion", "mj-accordion-element"})
_CONTAINERS = _AROUND_CODE | _WITHOUT_CODE
_LEAVES = frozenset(
    {"mj-accordion-text", "mj-accordion-title", "mj-all", "mj-breakpoint", "mj-button", "mj-class", "mj-divider",
     "mj-font", "mj-image", "mj-navbar-link", "mj-preview", "mj-raw", "mj-social-element", "mj-spacer", "mj-style",
     "mj-table", "mj-text", "mj-title"}
)  # fmt: skip
_KNOWN = _CONTAINERS | _LEAVES
_REFUSED = {
    "mj-include": "no file is read; share a layout by {% extends %} and {% block %}",
    "mj-carousel": "no mail program but Apple's shows one; use mj-image",
    "mj-html-attributes": "it is not supported; put the attributes on the elements",
}
_OPTIONS = mrml.RenderOptions(fonts={})  # otherwise it would load the font Ubuntu from Google into every e-mail
# mrml writes attributes as Rust shows strings ({:?}), which spells out what is not ASCII. Such characters are replaced
# by words before, so that the backslashes of its output are all its own.
_ODD = re.compile(f"{OPEN}c?\\d+{CLOSE}|[^\t\n\r\x20-\x7e]+|\\\\+")
_SHOWN = re.compile(r"\\(.)")
_SHOWN_AS = {"n": "\n", "r": "\r", "t": "\t", '"': "&quot;"}
_PLACE = re.compile(r" in root template(?: at position (\d+):\d+)?")
_CONDITIONAL = re.compile(r"<!--\[if [^\]]*\]>(?!<!-->).*?<!\[endif\]-->", re.DOTALL)
_SPACE_IN_TAG = re.compile("<(table|tr|td|div|p|ul|ol|li|h[1-6]|img) ")
_COMMENTED = re.compile(f"<!--({OPEN})c(\\d+{CLOSE})-->")
_ENTITY = re.compile(r"&([a-zA-Z][a-zA-Z0-9]*;)")
_INLINE = re.compile(r"(<mj-style)(\s[^>]*?)\binline=(\"inline\"|'inline')")


def to_html(masked: str, mask: Mask, places: Places) -> str:
    """Return the masked HTML of masked MJML; raise TemplateSyntaxError with the place of what is not valid.

    All styles are to be inlined afterwards, not only those with `inline="inline"`.
    """
    _check(masked, mask, places)
    armour = _Armour(_INLINE.sub(lambda match: match[1] + match[2] + " " * len(f"inline={match[3]}"), masked))
    try:
        html = mrml.to_html(armour.on, render_options=_OPTIONS).content
    except OSError as error:
        raise _located(str(error), armour, places) from None
    return _CONDITIONAL.sub(_bare, armour.off(html))


def in_lines(html: str) -> str:
    """Return the HTML with line ends inside tags: mrml writes one line, which an e-mail may not contain."""
    return _SPACE_IN_TAG.sub("<\\1\n", html)


class _Armour:
    """A source whose odd characters are replaced by words of ASCII."""

    def __init__(self, source: str) -> None:
        self._word = f"x{sha256(source.encode('utf-8', 'replace')).hexdigest()[:16]}"  # occurs in no source
        self._odd: list[str] = []
        self.on = _ODD.sub(self._replaced, source)

    def off(self, html: str) -> str:
        """Return what mrml made of the source, with the odd characters."""
        html = _SHOWN.sub(lambda match: _SHOWN_AS.get(match[1], match[1]), html)
        return self._restored(html)

    def offset(self, position: int) -> int:
        """Return the offset in the source of a position in the armoured one."""
        return len(self._restored(self.on[:position]))

    def _restored(self, armoured: str) -> str:
        return re.sub(f"{self._word}x(\\d+)x", lambda match: self._odd[int(match[1])], armoured)

    def _replaced(self, match: re.Match[str]) -> str:
        self._odd.append(match[0])
        return f"{self._word}x{len(self._odd) - 1}x"


def _bare(conditional: re.Match[str]) -> str:
    """Return a conditional comment, in which no comment may stand, with its placeholders as text."""
    return _COMMENTED.sub("\\1\\2", conditional[0])


def _located(message: str, armour: _Armour, places: Places) -> TemplateSyntaxError:
    position = _PLACE.search(message)
    offset = armour.offset(int(position[1])) if position and position[1] else 0
    return places.error(f"MJML: {_PLACE.sub('', message)}", offset)


def _check(masked: str, mask: Mask, places: Places) -> None:
    """Raise TemplateSyntaxError for what mrml drops, misplaces, or reports without a place."""
    try:
        misfits = balance.misfits(masked, mask, is_mjml=True)
    except balance.TooMuch as bound:
        raise places.error(str(bound), bound.at) from None
    if misfits:
        raise places.error(f"{misfits[0].message}; {misfits[0].remedy}", misfits[0].at)
    for entity in _ENTITY.finditer(masked):
        if entity[1] not in html5:
            raise places.error(f"{entity[0][:40]} is no character of HTML; write & as &amp;", entity.start())
    parents: list[str] = []
    end = 0
    for tag in tags.read(masked):
        _check_text(masked[end : tag.at], end, parents, places)
        _check_tag(tag, masked, mask, parents, places)
        end = tag.end + len(tag.content)
        if tag.is_end:
            parents.pop()
        elif not (tag.name == "!" or tag.name in tags.VOID or tag.closes_itself):
            parents.append(tag.name)
    _check_text(masked[end:], end, parents, places)


def _check_text(text: str, at: int, parents: list[str], places: Places) -> None:
    if text.strip() and (not parents or parents[-1] in _CONTAINERS):
        at += len(text) - len(text.lstrip())
        raise places.error(f"text cannot stand directly in {_shown(parents)}; put it into mj-text", at)


def _check_tag(tag: Tag, masked: str, mask: Mask, parents: list[str], places: Places) -> None:
    if tag.name == "!" and not masked.startswith("<!--", tag.at):
        raise places.error("declarations, CDATA and processing instructions cannot stand in MJML", tag.at)
    if tag.name == "!":
        code = mask.code_of(masked[tag.at : tag.end])
        if code and parents and parents[-1] in _WITHOUT_CODE:
            raise places.error(f"code cannot stand directly in {_shown(parents)}", tag.at)
        if code and code.kind == "expression" and (not parents or parents[-1] in _CONTAINERS):
            raise places.error(f"a value cannot stand directly in {_shown(parents)}; put it into mj-text", tag.at)
    elif tag.name.startswith("mj") and not masked.startswith(tag.name, tag.at + 1 + tag.is_end):
        raise places.error(f"{tag.shown} must be written in lower case", tag.at)
    elif tag.name in _REFUSED:
        raise places.error(f"<{tag.name}>: {_REFUSED[tag.name]}", tag.at)
    elif tag.name.startswith("mj-") and tag.name not in _KNOWN:
        raise places.error(f"<{tag.name[:40]}>: {errors.unknown(tag.name[:40], sorted(_KNOWN))}", tag.at)
    elif not tag.is_end and not tag.name.startswith("mj") and (not parents or parents[-1] in _CONTAINERS):
        raise places.error(f"{tag.shown} cannot stand directly in {_shown(parents)}; put it into mj-text", tag.at)
    elif not tag.is_end:
        _check_attributes(tag, places)


def _check_attributes(tag: Tag, places: Places) -> None:
    for name, attribute in tag.attributes.items():
        if not attribute.is_quoted:
            raise places.error(f"{tag.shown}: {name[:40]} needs a value in quotes", tag.at)


def _shown(parents: list[str]) -> str:
    return f"<{parents[-1]}>" if parents else "the document"
