"""Read template sources, split them into text and code, and fill the blocks of layouts."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import scandir
from pathlib import Path
from typing import Literal, Protocol

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from markupsafe import escape

DEPTH_MAX = 5

_BEGINS: Mapping[str, Literal["expression", "statement"]] = {"variable_begin": "expression", "block_begin": "statement"}
_ENDS = ("variable_end", "block_end")
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,49}")  # of a template; at most 50: the column emails.template
_CODE_LIKE = re.compile(r"\{[{%#]")
_SUPER = ("super", "(", ")")


class Parts(Protocol):
    """The sources of one template, by the names of files: `subject.txt`, `body.html`, …"""

    @property
    def stands_alone(self) -> bool:
        """True if its sources may use no other file."""

    def has(self, name: str) -> bool:
        """Return True if the template itself has this part."""

    def read(self, name: str) -> str:
        """Return a part, or else the shared file of that name; raise ValueError if it cannot be read."""


@dataclass(frozen=True, slots=True)
class FolderParts:
    """The files of a template's folder; files beside the folder are shared."""

    folder: Path
    stands_alone = False

    def has(self, name: str) -> bool:
        """Return True if the folder has this file."""
        return (self.folder / name).exists()

    def state(self) -> frozenset[tuple[str, int, int]]:
        """Return name, size and time of change of each file that the template may use."""
        try:
            files = [(file.name, file.stat()) for place in (self.folder, self.folder.parent) for file in scandir(place)]
        except OSError:
            return frozenset()
        return frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)

    def read(self, name: str) -> str:
        """Return a file of the folder, or else the shared file of that name."""
        if Path(name).name != name:
            raise ValueError(f"{name}: only files of the template and its parent folder can be used")
        own = self.folder / name
        try:
            return (own if own.exists() else self.folder.parent / name).read_text("utf-8")
        except OSError as error:
            raise ValueError(f"{name}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}: byte {error.start + 1} is not UTF-8") from error


def body(parts: Parts) -> str:
    """Return the name of the part with the body; raise ValueError if there are both HTML and MJML."""
    if not parts.has("body.mjml"):
        return "body.html"
    if parts.has("body.html"):
        raise ValueError("body.mjml: there is a body.html, too; only one of them may be there")
    return "body.mjml"


class Stored(Protocol):
    """The templates in the database, as a library reads them."""

    def published(self) -> Mapping[str, int]:
        """Return the published version of each template that has one, by name."""

    def refresh(self) -> None:
        """Read the published versions anew at the next use."""

    def parts(self, name: str, version: int) -> Parts | None:
        """Return the parts of a version; None if it does not exist."""


def folders(place: Path) -> list[str]:
    """Return the names of the folders with a subject, sorted; none if the place cannot be read."""
    try:
        return sorted(folder.name for folder in place.iterdir() if (folder / "subject.txt").exists())
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class WrittenParts:
    """Sources in memory, by the names of files; they use no other file."""

    sources: Mapping[str, str]
    stands_alone = True

    def has(self, name: str) -> bool:
        """Return True if there is such a part."""
        return name in self.sources

    def read(self, name: str) -> str:
        """Return a part."""
        if name not in self.sources:
            raise ValueError(f"{name}: is missing")
        return self.sources[name]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a source: plain text, or one `{{ expression }}` or `{% statement %}` with its words."""

    kind: Literal["text", "expression", "statement"]
    source: str
    words: tuple[str, ...] = ()
    line: int = 1
    filename: str = ""

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
    return Segment("text", str(escape(value)) if escapes else value, line=segment.line, filename=segment.filename)


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
            yield Segment("text", value, line=line, filename=filename)
        elif part in _BEGINS:
            inner, kind = [], _BEGINS[part]
        elif part in _ENDS and kind is not None:
            words = tuple(word for word in inner if not word.isspace())
            if any(word.startswith("_") for word in words):
                raise TemplateSyntaxError("names with a leading underscore are reserved", line, None, filename)
            delimiters = ("{{", "}}") if kind == "expression" else ("{%", "%}")
            code = _with_literals(inner, constants).strip()
            yield Segment(kind, f"{delimiters[0]} {code} {delimiters[1]}", words, line, filename)
            kind = None
        elif kind is not None:
            inner.append(value)


def _with_literals(words: Sequence[str], constants: Mapping[str, str]) -> str:
    code, before = "", ""
    for word in words:
        code += repr(constants[word]) if word in constants and before != "." else word
        before = before if word.isspace() else word
    return code


def joined(segments: Segments) -> str:
    """Return one source that means the same as these segments."""
    return "".join(_as_source(segment) for segment in segments)


def _as_source(segment: Segment) -> str:
    """Return the source of a segment; text that looks like code, or like its beginning, is marked as raw."""
    is_code_like = segment.kind == "text" and (_CODE_LIKE.search(segment.source) or segment.source.endswith("{"))
    return f"{{% raw %}}{segment.source}{{% endraw %}}" if is_code_like else segment.source
