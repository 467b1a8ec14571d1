"""Compile the folder of a template: fill the layout, inline the CSS, track the links, derive the text."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import css_inline
import jinja2
from jinja2 import nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from markupsafe import escape

from engine.templates import additions, brand, links, sandbox, sources, template_analysis, text, variables
from engine.templates.brand import Brand
from engine.templates.markup import bounds, mjml
from engine.templates.markup.places import Places
from engine.templates.mask import Mask
from engine.templates.sources import FolderParts, Parts, Segment
from errors import Fault, InvalidInput

CLIPPED_AT = 102_000  # bytes: Gmail shows the rest of a longer message only on request
SUBJECT_CHARS_MAX = 255  # the column emails.subject

HTML = sandbox.Environment(autoescape=True, bytes_filters={links.CLICKED: links.clicked})
TEXT = sandbox.Environment(autoescape=False, bytes_filters={links.CLICKED: links.clicked})
_SYNTAX = jinja2.Environment()  # noqa: S701  # it only parses

_CSS = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
_PIXEL = '<img src="{{ _pixel }}" width="1" height="1" alt="" style="display:block;border:0;">'
_EMPTY_PIXEL = _PIXEL.replace("{{ _pixel }}", "").encode()
_HONEYPOT = '<a href="%s" style="display:none;" aria-hidden="true" tabindex="-1"></a>'
_OTHER_FILES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
_OF_LAYOUTS = (nodes.Extends, nodes.Block)
_OURS = frozenset({links.UNSUBSCRIBE, links.PIXEL})


class UnusableTemplate(InvalidInput):
    """No e-mail can be made from the template on this host; names the template and the fault, no value."""


class BrokenTemplate(UnusableTemplate):
    """A part of the template is missing or invalid.

    The message names the template, the `part` (a file such as `body.html`, empty if unknown), the `line` if it is
    known, and the `problem`.
    """

    part = ""
    line: int | None = None
    problem = ""

    @classmethod
    def at(cls, name: str, part: str, problem: str, line: int | None = None) -> Self:
        """Return the error for the template of this name."""
        place = f"{part} line {line}: " if line else f"{part}: " if part else ""
        broken = cls([Fault("template", f"{name!r} is broken: {place}{problem}")])
        broken.part, broken.line, broken.problem = part, line, problem
        return broken


@dataclass(frozen=True, slots=True)
class Sources:
    """The complete Jinja sources of a template, with tracking and unsubscribe line, and its sample."""

    subject: str
    html: str
    text: str
    targets: tuple[str, ...]  # of the links
    identifiers: frozenset[str]  # every name in the code
    sample: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled template and the results of its analysis."""

    code: tuple[jinja2.Template, jinja2.Template, jinja2.Template]  # subject, HTML, text
    sources: Sources
    safe_variables: template_analysis.SafeVariables | None
    is_simple: bool
    in_links: tuple[frozenset[str], ...]  # the variables in each link's target
    required: frozenset[str]
    in_subject: frozenset[str]
    names: tuple[str, ...]  # of every variable, also those that we add


@dataclass(frozen=True, slots=True)
class _Files:
    """The parts of a template, and the variables that are the same in all its e-mails."""

    parts: Parts
    constants: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Return True if the template itself has this part."""
        return self.parts.has(name)

    def read(self, name: str) -> str:
        """Return a part, or else the shared file of that name."""
        return self.parts.read(name)

    def segments(self, filename: str, source: str | None = None) -> list[Segment]:
        """Return the segments of a part, or of this source in its place."""
        return sources.flatten(
            HTML,
            lambda name: self.checked(name, self.read(name)) if source is None else source,
            filename,
            self.constants,
        )

    def checked(self, name: str, source: str) -> str:
        """Return the source of a part; raise TemplateSyntaxError with the part's own line if it is invalid."""
        if len(source) > sandbox.SOURCE_BYTES_MAX:
            raise TemplateSyntaxError(f"the source is longer than {sandbox.SOURCE_BYTES_MAX} bytes", 1, name, name)
        tree = _SYNTAX.parse(source, name, name)
        if self.parts.stands_alone and (used := _first(tree, _OTHER_FILES)):
            kind = type(used).__name__.lower()
            raise TemplateSyntaxError(f"{kind}: this template can use no other file", used.lineno, name, name)
        if _first(tree, _OF_LAYOUTS) is None:  # the others are checked when their blocks are filled
            environment = TEXT if name.endswith(".txt") else HTML
            environment.compile(source, name, name, raw=True)
        return source


def has_blocks(source: str) -> bool:
    """Return True if a source fills a layout, or is one."""
    return _first(_SYNTAX.parse(source), _OF_LAYOUTS) is not None


def _first(tree: nodes.Template, kinds: tuple[type[nodes.Node], ...]) -> nodes.Node | None:
    return next(iter(tree.find_all(kinds)), None)


def inlined(html: str) -> str:
    """Return the HTML with its CSS in the elements, its media queries kept."""
    return _CSS.inline(html)


def segments_of(parts: Parts, name: str, sender: Brand = brand.NONE) -> list[Segment]:
    """Return the segments of a part, with its layouts filled; raise TemplateSyntaxError or ValueError."""
    return _Files(parts, sender.variables()).segments(name)


def without_pixel(html: bytes) -> bytes:
    """Return HTML that was rendered with an empty address of the pixel, without the pixel's element."""
    return html.replace(_EMPTY_PIXEL, b"")


def compile_folder(folder: Path, hidden_url: str = "", sender: Brand = brand.NONE) -> Compiled:
    """Return the compiled template with the variables of a brand; raise BrokenTemplate if a file is invalid.

    `hidden_url` is the target of a hidden link in the HTML, which only scanners follow; no link if it is empty.
    """
    return compile_parts(folder.name, FolderParts(folder), hidden_url, sender)


def compile_parts(name: str, parts: Parts, hidden_url: str = "", sender: Brand = brand.NONE) -> Compiled:
    """Return the compiled template of this name, as `compile_folder` does."""
    try:
        return _compiled(sources_in(parts, hidden_url, sender))
    except TemplateSyntaxError as error:
        raise BrokenTemplate.at(name, error.filename or "body", error.message or "", error.lineno) from error
    except TemplateError as error:
        raise BrokenTemplate.at(name, "body", error.message or "") from error
    except ValueError as error:
        raise BrokenTemplate.at(name, *_part_and_fault(error)) from error
    except Exception as error:  # the HTML parsers have exceptions of their own; none may stop other templates
        raise BrokenTemplate.at(name, "", f"cannot be compiled ({type(error).__name__}: {error})") from error


def _part_and_fault(error: ValueError) -> tuple[str, str]:
    """Return the part that an error's message begins with, and the rest."""
    part, _, fault = str(error).partition(": ")
    return (part, fault) if fault and " " not in part else ("", str(error))


def sources_in(parts: Parts, hidden_url: str = "", sender: Brand = brand.NONE) -> Sources:
    """Return the Jinja sources, with a hidden link and a brand as in `compile_folder`.

    Raise the errors of Jinja, the file system and the JSON parser.
    """
    files = _Files(parts, sender.variables())
    mask = Mask()
    tracker = links.Tracker(mask)
    subject = _subject(files)
    html = tracker.in_html(_inlined(files, mask))
    text = _text(files, mask, tracker, html)
    identifiers = {word.strip("'\"") for code in mask.codes for word in code.words}
    return Sources(
        subject=subject,
        html=additions.append(mask.restore(html), _PIXEL + _honeypot(hidden_url)),
        text=mask.restore(text),
        targets=tuple(tracker.targets),
        identifiers=variables.named(TEXT.parse(subject)).union(identifiers),
        sample=_sample(files),
    )


def _compiled(sources: Sources) -> Compiled:
    parts = ((TEXT, sources.subject), (HTML, sources.html), (TEXT, sources.text))
    trees = [environment.parse(source) for environment, source in parts]
    subject, html, text = (environment.from_string(source) for environment, source in parts)
    targets = [TEXT.parse(target) for target in sources.targets]
    required = frozenset().union(*map(variables.required, trees)) - _OURS
    return Compiled(
        code=(subject, html, text),
        sources=sources,
        safe_variables=template_analysis.safe_variables(trees, targets, required),
        is_simple=template_analysis.is_simple(trees),
        in_links=tuple(map(variables.named, targets)),
        required=required,
        in_subject=variables.named(trees[0]),
        names=tuple(sorted(frozenset().union(*map(variables.named, trees)))),
    )


def _subject(files: _Files) -> str:
    written = " ".join(files.read("subject.txt").split())
    mask = Mask()
    files.checked("subject.txt", written)
    source = mask.restore(mask.hide_in_text(files.segments("subject.txt", written)))
    if not 0 < len(source) <= SUBJECT_CHARS_MAX:
        raise ValueError(f"subject.txt: has {len(source)} characters, 1 to {SUBJECT_CHARS_MAX} are needed")
    return source


def _sample(files: _Files) -> Mapping[str, object]:
    try:
        sample = json.loads(files.read("sample.json"))
    except json.JSONDecodeError as error:
        raise ValueError(f"sample.json line {error.lineno}: {error.msg}") from error
    except RecursionError:
        raise ValueError("sample.json: is nested too deeply") from None
    if not isinstance(sample, dict):
        raise ValueError('sample.json: must be an object, such as {"nombre": "Ana"}')  # noqa: TRY004  # of a file
    return sample


def _inlined(files: _Files, mask: Mask) -> str:
    """Return the masked HTML with its CSS in the elements, its media queries kept, and an unsubscribe line."""
    name = sources.body(files.parts)
    segments = files.segments(name)
    if not any(segment.source.strip() for segment in segments):
        raise ValueError(f"{name}: is empty")
    with _part(name):
        html = mask.hide_in_html(segments)
        for_parsers = mjml.to_html if name.endswith(".mjml") else bounds.checked
        html = for_parsers(html, mask, Places(mask, segments, html))
    if not _unsubscribes(segments):
        html = additions.append(html, mask.hide_in_html(files.segments("unsubscribe.html", additions.UNSUBSCRIBE_HTML)))
    html = inlined(html) if name == "body.html" else mjml.in_lines(inlined(html))
    html = additions.with_preheader(html, _preheader(files, mask))
    if missing := mask.lost(html):
        reason = "this code was lost; in a style it may only stand for a value, and of a style that is used"
        raise TemplateSyntaxError(reason, missing.line, None, missing.filename or name)
    return html


def _preheader(files: _Files, mask: Mask) -> str:
    """Return the masked preheader as HTML; empty if there is none."""
    name = additions.PREHEADER
    written = " ".join(files.read(name).split()) if files.has(name) else ""
    segments = files.segments(name, files.checked(name, written))
    escaped = [replace(each, source=str(escape(each.source))) if each.kind == "text" else each for each in segments]
    with _part(name):
        return mask.hide_in_html(escaped)


@contextmanager
def _part(name: str) -> Iterator[None]:
    """Name the part in a TemplateSyntaxError that names none."""
    try:
        yield
    except TemplateSyntaxError as error:
        error.filename = error.filename or name
        raise


def _text(files: _Files, mask: Mask, tracker: links.Tracker, html: str) -> str:
    """Return the masked text: that of body.txt, or else one derived from the HTML."""
    if not files.has("body.txt"):
        return text.of_html(mask, html)
    segments = files.segments("body.txt")
    with _part("body.txt"):
        masked = mask.hide_in_text(segments)
    if not _unsubscribes(segments):
        masked += mask.hide_in_text(files.segments("unsubscribe.txt", additions.UNSUBSCRIBE_TEXT))
    return text.tidy(mask, tracker.in_text(masked))


def _honeypot(hidden_url: str) -> str:
    return _HONEYPOT % links.tracked(links.HONEYPOT, str(escape(hidden_url))) if hidden_url else ""


def _unsubscribes(segments: list[Segment]) -> bool:
    return any(links.UNSUBSCRIBE in segment.words for segment in segments)
