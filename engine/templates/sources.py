"""Split template sources into text and code, and fill the blocks of layouts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from markupsafe import escape

DEPTH_MAX = 5

_BEGINS: Mapping[str, Literal["expression", "statement"]] = {"variable_begin": "expression", "block_begin": "statement"}
_ENDS = ("variable_end", "block_end")
_SUPER = ("super", "(", ")")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a source: plain text, or one `{{ expression }}` or `{% statement %}` with its words."""

    kind: Literal["text", "expression", "statement"]
    source: str
    words: tuple[str, ...] = ()
    line: int = 1

    @property
    def verb(self) -> str:
        """The keyword of a statement ("if", "block", …); empty for text and expressions."""
        return self.words[0] if self.kind == "statement" and self.words else ""


Segments = Sequence[Segment]
Read = Callable[[str], str]
_NO_CONSTANTS: Mapping[str, str] = {}


def flatten(
    environment: Environment, read: Read, filename: str, constants: Mapping[str, str] = _NO_CONSTANTS
) -> list[Segment]:
    """Return the segments of one file with `{% extends %}`, `{% block %}` and `super()` resolved.

    `read` returns a file's source by name. `constants` are variables that are the same in all e-mails: printed ones
    become text, escaped unless the file is .txt, others a literal in the code. Comments are dropped. Raise
    TemplateSyntaxError if the source is not valid Jinja, or if a file that extends another has more than blocks.
    """

    def parsed(name: str) -> list[Segment]:
        segments = _segments(environment, read(name), name, constants)
        return [_printed(segment, constants, escapes=not name.endswith(".txt")) for segment in segments]

    return _filled(parsed, filename, {}, DEPTH_MAX)


def _printed(segment: Segment, constants: Mapping[str, str], *, escapes: bool) -> Segment:
    """Return the text of an expression that is a constant, else the segment."""
    value = constants.get(segment.words[0]) if segment.kind == "expression" and len(segment.words) == 1 else None
    if value is None:
        return segment
    return Segment("text", str(escape(value)) if escapes else value, line=segment.line)


def _filled(
    parsed: Callable[[str], list[Segment]], filename: str, blocks: Mapping[str, Segments], depth: int
) -> list[Segment]:
    segments = parsed(filename)
    extends = [segment for segment in segments if segment.verb == "extends"]
    if not extends:
        return _expanded(segments, blocks, filename)
    parent = _parent(extends[0], filename)
    if depth == 0:
        raise TemplateSyntaxError(f"extends: more than {DEPTH_MAX} layouts", extends[0].line, None, filename)
    own = _blocks(segments, filename)
    merged = {**own, **{name: _with_super(blocks[name], own.get(name)) for name in blocks}}
    return _filled(parsed, parent, merged, depth - 1)


def _parent(extends: Segment, filename: str) -> str:
    word = extends.words[1] if len(extends.words) == 2 else ""
    if word[:1] not in ("'", '"'):
        raise TemplateSyntaxError("extends: needs one file name in quotes", extends.line, None, filename)
    return word[1:-1]


def _blocks(segments: Segments, filename: str) -> dict[str, Segments]:
    """Return the blocks of a file that extends another, by name."""
    blocks: dict[str, Segments] = {}
    at = 0
    while at < len(segments):
        segment = segments[at]
        if segment.verb == "block":
            end = _end(segments, at, filename)
            blocks[segment.words[1]] = segments[at + 1 : end]
            at = end
        elif segment.verb != "extends" and segment.source.strip():
            raise TemplateSyntaxError("only blocks may stand beside extends", segment.line, None, filename)
        at += 1
    return blocks


def _expanded(segments: Segments, blocks: Mapping[str, Segments], filename: str) -> list[Segment]:
    """Return the segments with each block replaced by its override, or else by its own content."""
    expanded: list[Segment] = []
    at = 0
    while at < len(segments):
        segment = segments[at]
        if segment.verb == "block":
            end = _end(segments, at, filename)
            default = segments[at + 1 : end]
            chosen = _with_super(blocks.get(segment.words[1], default), default)
            expanded += _expanded(chosen, blocks, filename)
            at = end
        else:
            expanded.append(segment)
        at += 1
    return expanded


def _with_super(segments: Segments, inherited: Segments | None) -> list[Segment]:
    """Return the segments with `{{ super() }}` replaced by the inherited content, if it is known."""
    result: list[Segment] = []
    for segment in segments:
        if segment.words == _SUPER and inherited is not None:
            result += inherited
        else:
            result.append(segment)
    return result


def _end(segments: Segments, start: int, filename: str) -> int:
    depth = 0
    for at in range(start, len(segments)):
        depth += {"block": 1, "endblock": -1}.get(segments[at].verb, 0)
        if depth == 0:
            return at
    raise TemplateSyntaxError("block: is never closed", segments[start].line, None, filename)


def _segments(environment: Environment, source: str, filename: str, constants: Mapping[str, str]) -> Iterator[Segment]:
    inner: list[str] = []  # the words as they are written
    kind: Literal["expression", "statement"] | None = None
    for line, part, value in environment.lex(source, filename=filename):
        if part == "data":
            yield Segment("text", value, line=line)
        elif part in _BEGINS:
            inner, kind = [], _BEGINS[part]
        elif part in _ENDS and kind is not None:
            words = tuple(word for word in inner if not word.isspace())
            if any(word.startswith("_") for word in words):
                raise TemplateSyntaxError("names with a leading underscore are reserved", line, None, filename)
            delimiters = ("{{", "}}") if kind == "expression" else ("{%", "%}")
            code = _with_literals(inner, constants).strip()
            yield Segment(kind, f"{delimiters[0]} {code} {delimiters[1]}", words, line)
            kind = None
        elif kind is not None:
            inner.append(value)


def _with_literals(words: Sequence[str], constants: Mapping[str, str]) -> str:
    code, before = "", ""
    for word in words:
        code += repr(constants[word]) if word in constants and before != "." else word
        before = before if word.isspace() else word
    return code
