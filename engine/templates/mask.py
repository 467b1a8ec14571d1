"""Replace Jinja code by placeholders that HTML tools keep, and put it back afterwards."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from jinja2.exceptions import TemplateSyntaxError

from engine.templates.sources import Segment

# Private-use characters (Unicode 23.5): legal in HTML, unused in e-mails, and kept by parsers. Between tags a
# placeholder is a comment, because a parser moves stray text out of a table but keeps comments where they are.
OPEN, CLOSE = "\ue000", "\ue001"
PLACEHOLDER = re.compile(f"{OPEN}(\\d+){CLOSE}")

_COMMENT = f"<!--{OPEN}c%d{CLOSE}-->"
_ANY = re.compile(f"<!--{OPEN}c(\\d+){CLOSE}-->|{OPEN}(\\d+){CLOSE}|\\{{(?=[{{%#]|(?:<!--)?{OPEN})")
_COMMENTED = re.compile(f"<!--{OPEN}c(\\d+){CLOSE}-->")
_RAW = ("style", "script", "title", "textarea", "mj-style", "mj-title", "mj-preview")
_LEAVES = {
    "text": re.compile(r"(?P<comment><!--)|<(?P<name>[a-zA-Z][^\s/>]*)|(?P<tag><[/!?])"),
    "comment": re.compile(r"-->"),
    "tag": re.compile(r"(?P<quote>[\"'])|>"),
    '"': re.compile(r'"'),
    "'": re.compile(r"'"),
    **{name: re.compile(f"(?=</{name})", re.IGNORECASE) for name in _RAW},
}


@dataclass
class Mask:
    """The code that was replaced; a placeholder is an index in this list."""

    codes: list[Segment] = field(default_factory=list)

    def add(self, code: Segment) -> str:
        """Return the placeholder for this code, in its form for attributes and plain text."""
        self.codes.append(code)
        return f"{OPEN}{len(self.codes) - 1}{CLOSE}"

    def hide_in_text(self, segments: Sequence[Segment]) -> str:
        """Return the segments as one plain text with placeholders for code."""
        return "".join(_checked(one) if one.kind == "text" else self.add(one) for one in segments)

    def hide_in_html(self, segments: Sequence[Segment]) -> str:
        """Return one HTML document with placeholders for code; raise TemplateSyntaxError where code splits a tag."""
        html, scanner = "", _Scanner()
        for segment in segments:
            if segment.kind == "text":
                scanner.read(_checked(segment))
                html += segment.source
                continue
            if scanner.state == "tag" and not html.endswith("="):
                _refuse(segment, "code inside a tag may only stand in an attribute's value")
            if html.endswith(("<", "</")):
                _refuse(segment, "a tag's name cannot come from code")
            placeholder = self.add(segment)
            html += _COMMENT % (len(self.codes) - 1) if scanner.state == "text" else placeholder
        return html

    def restore(self, masked: str) -> str:
        """Return the Jinja source of a masked text; braces in the text stay text."""
        return _ANY.sub(self._code, masked)

    def lost(self, masked: str) -> Segment | None:
        """Return the first code that is not there, or that stands between tags more than once; None if all is well.

        Code in an attribute or a style may occur more than once, because a tool may copy a value to many elements.
        """
        places = Counter(match[1] for match in _ANY.finditer(masked) if match[1])
        values = {match[2] for match in _ANY.finditer(masked) if match[2]}
        for number, code in enumerate(self.codes):
            copies = places[str(number)]
            if copies > 1 or (copies == 0 and str(number) not in values):
                return code
        return None

    def code_of(self, comment: str) -> Segment | None:
        """Return the code whose placeholder this comment is; None for another comment."""
        match = _COMMENTED.fullmatch(comment)
        return self.codes[int(match[1])] if match else None

    def length_at(self, masked: str, offset: int) -> int:
        """Return the number of characters of the placeholder at this offset."""
        match = _ANY.match(masked, offset)
        return len(match[0]) if match else 0

    @staticmethod
    def without_comments(masked_html: str) -> str:
        """Return the masked HTML with its placeholders as text, for tools that drop comments."""
        return _COMMENTED.sub(f"{OPEN}\\1{CLOSE}", masked_html)

    def _code(self, match: re.Match[str]) -> str:
        number = match[1] or match[2]
        return self.codes[int(number)].source if number else "{{ '{' }}"


@dataclass
class _Scanner:
    """The position in an HTML document: in text, a tag, a quoted value, a comment, or a raw element."""

    state: str = "text"
    _then: str = "text"

    def read(self, text: str) -> None:
        at = 0
        while left := _LEAVES[self.state].search(text, at):
            at = left.end()
            self._leave(left)

    def _leave(self, left: re.Match[str]) -> None:
        groups = left.groupdict()
        if self.state == "text":
            name = (groups["name"] or "").lower()
            self._then = name if name in _RAW else "text"
            self.state = "comment" if groups["comment"] else "tag"
        elif self.state == "tag":
            self.state = groups["quote"] or self._then
        else:
            self.state = "tag" if self.state in ("'", '"') else "text"


def _checked(segment: Segment) -> str:
    if OPEN in segment.source or CLOSE in segment.source:
        _refuse(segment, "the characters U+E000 and U+E001 have no place here")
    return segment.source


def _refuse(segment: Segment, reason: str) -> None:
    raise TemplateSyntaxError(reason, segment.line, None, segment.filename or None)
