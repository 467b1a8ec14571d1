"""Split CSS into declarations and selectors with their offsets."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_PIECE = re.compile(r"[^{};]++|[{};]")
_PROPERTY = re.compile(r"[\w-]+")
_DARK = re.compile(r"prefers-color-scheme\s*:\s*dark\b", re.IGNORECASE)


class Piece(NamedTuple):
    """A declaration (`value` is its value) or a selector or at-rule (`value` is None), with its offset."""

    name: str
    value: str | None
    at: int


def pieces(source: str) -> Iterator[Piece]:
    """Yield the declarations, selectors and at-rules of a style sheet in their order."""
    written, at = "", 0
    for match in _PIECE.finditer(_blank_comments(source) + ";"):
        if match[0] not in "{};":
            written, at = match[0], match.start()
        elif words := written.strip():
            offset = at + len(written) - len(written.lstrip())
            name, value = _split(words) if match[0] != "{" else (words, None)
            yield Piece(name, value, offset)
            written = ""


def declarations(style: str) -> Mapping[str, str]:
    """Return the values of an attribute `style` by property, in the order in which they apply: important ones last."""
    usual: dict[str, str] = {}
    important: dict[str, str] = {}
    for written in _blank_comments(style).split(";"):
        name, value = _split(written.strip())
        if value is None:
            continue
        plain, mark, _ = value.lower().partition("!important")
        values = important if mark else usual
        values.pop(name, None)  # so that the order is that of the last ones
        values[name] = plain.strip()
    return {name: value for name, value in usual.items() if name not in important} | important


def dark(source: str) -> str:
    """Return the rules for dark mode, without their media query."""
    source = _blank_comments(source)
    rules, prelude, depth, begin = "", "", 0, 0
    for match in _PIECE.finditer(source):
        if match[0] == "{":
            if depth == 0 and prelude.lstrip().startswith("@media") and _DARK.search(prelude):
                depth, begin = 1, match.end()
            elif depth:
                depth += 1
        elif match[0] == "}" and depth:
            depth -= 1
            rules += source[begin : match.start()] if depth == 0 else ""
        else:
            prelude = match[0]
    return rules


def _split(written: str) -> tuple[str, str | None]:
    """Return property and value of a declaration; the value is None if it is none."""
    name, colon, value = written.partition(":")
    name = name.strip()
    return (name.lower(), value.strip()) if colon and _PROPERTY.fullmatch(name) else (written, None)


def _blank_comments(source: str) -> str:
    return _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)
