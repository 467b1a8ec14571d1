"""Compile the folder of a template: fill the layout, inline the CSS, track the links, derive the text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import css_inline
import jinja2
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from markupsafe import escape

from engine.templates import brand, links, sandbox, sources, template_analysis, text, variables
from engine.templates.brand import Brand
from engine.templates.mask import Mask
from engine.templates.sources import Segment
from errors import Fault, InvalidInput

SUBJECT_CHARS_MAX = 255  # the column emails.subject

HTML = sandbox.Environment(autoescape=True, bytes_filters={links.CLICKED: links.clicked})
TEXT = sandbox.Environment(autoescape=False, bytes_filters={links.CLICKED: links.clicked})
_SYNTAX = jinja2.Environment()  # noqa: S701  # it only parses

_CSS = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
_PIXEL = '<img src="{{ _pixel }}" width="1" height="1" alt="" style="display:block;border:0;">'
_EMPTY_PIXEL = _PIXEL.replace("{{ _pixel }}", "").encode()
_HONEYPOT = '<a href="%s" style="display:none;" aria-hidden="true" tabindex="-1"></a>'
_UNSUBSCRIBE_HTML = (
    '{% if unsubscribe_url %}<p style="font-size:12px;text-align:center;">{% if brand_address %}{{ brand_name }}, '
    "{{ brand_address }}<br>{% endif %}¿No quieres recibir más correos como este? "
    '<a href="{{ unsubscribe_url }}">Darme de baja</a></p>{% endif %}'
)
_UNSUBSCRIBE_TEXT = (
    "{% if unsubscribe_url %}\n\n--\n{% if brand_address %}{{ brand_name }}, {{ brand_address }}\n{% endif %}"
    "¿No quieres recibir más correos como este? {{ unsubscribe_url }}\n{% endif %}"
)
_OURS = frozenset({links.UNSUBSCRIBE, links.PIXEL})


class UnusableTemplate(InvalidInput):
    """No e-mail can be made from the template on this host; names the template and the fault, no value."""


class BrokenTemplate(UnusableTemplate):
    """A file of the template is missing or invalid; names the template, the file and the fault."""


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
    """The files of a template, and the variables that are the same in all its e-mails."""

    folder: Path
    constants: Mapping[str, str]

    def read(self, name: str) -> str:
        """Return a file of the template, or else the shared file of that name."""
        if Path(name).name != name:
            raise ValueError(f"{name}: only files of the template and its parent folder can be used")
        own = self.folder / name
        try:
            return (own if own.exists() else self.folder.parent / name).read_text("utf-8")
        except OSError as error:
            raise ValueError(f"{name}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}: byte {error.start + 1} is not UTF-8") from error

    def segments(self, filename: str, source: str | None = None) -> list[Segment]:
        """Return the segments of a file, or of this source in its place."""
        return sources.flatten(
            HTML, lambda name: _checked(name, self.read(name)) if source is None else source, filename, self.constants
        )


def _checked(name: str, source: str) -> str:
    """Return the source of a file; raise TemplateSyntaxError with the file's own line if it is not valid Jinja."""
    if len(source) > sandbox.SOURCE_BYTES_MAX:
        raise TemplateSyntaxError(f"the source is longer than {sandbox.SOURCE_BYTES_MAX} bytes", 1, name, name)
    _SYNTAX.parse(source, name, name)
    return source


def without_pixel(html: bytes) -> bytes:
    """Return HTML that was rendered with an empty address of the pixel, without the pixel's element."""
    return html.replace(_EMPTY_PIXEL, b"")


def compile_folder(folder: Path, hidden_url: str = "", sender: Brand = brand.NONE) -> Compiled:
    """Return the compiled template with the variables of a brand; raise BrokenTemplate if a file is invalid.

    `hidden_url` is the target of a hidden link in the HTML, which only scanners follow; no link if it is empty.
    """
    try:
        return _compiled(sources_in(folder, hidden_url, sender))
    except TemplateError as error:
        place = f"{error.filename or 'body'} line {error.lineno}" if isinstance(error, TemplateSyntaxError) else "body"
        raise _broken(folder, f"{place}: {error.message}") from error
    except ValueError as error:
        raise _broken(folder, str(error)) from error
    except Exception as error:  # the HTML parsers have exceptions of their own; none may stop other templates
        raise _broken(folder, f"cannot be compiled ({type(error).__name__}: {error})") from error


def _broken(folder: Path, fault: str) -> BrokenTemplate:
    return BrokenTemplate([Fault("template", f"{folder.name!r} is broken: {fault}")])


def sources_in(folder: Path, hidden_url: str = "", sender: Brand = brand.NONE) -> Sources:
    """Return the Jinja sources, with a hidden link and a brand as in `compile_folder`.

    Raise what Jinja, the file system or the JSON parser raises.
    """
    files = _Files(folder, sender.variables())
    mask = Mask()
    tracker = links.Tracker(mask)
    subject = _subject(files)
    html = tracker.in_html(_inlined(files, mask))
    text = _text(files, mask, tracker, html)
    identifiers = {word.strip("'\"") for code in mask.codes for word in code.words}
    return Sources(
        subject=subject,
        html=_append(mask.restore(html), _PIXEL + _honeypot(hidden_url)),
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
    source = mask.restore(mask.hide_in_text(files.segments("subject.txt", written)))  # raises for reserved names
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
    segments = files.segments("body.html")
    if not any(segment.source.strip() for segment in segments):
        raise ValueError("body.html: is empty")
    html = mask.hide_in_html(segments)
    if not _unsubscribes(segments):
        html = _append(html, mask.hide_in_html(files.segments("unsubscribe.html", _UNSUBSCRIBE_HTML)))
    html = _CSS.inline(html)
    if not mask.is_complete(html):
        raise ValueError("body.html: code was lost in inlining the CSS; in a style it may only stand for a value")
    return html


def _text(files: _Files, mask: Mask, tracker: links.Tracker, html: str) -> str:
    """Return the masked text: that of body.txt, or else one derived from the HTML."""
    if not (files.folder / "body.txt").exists():
        return text.of_html(mask, html)
    segments = files.segments("body.txt")
    masked = mask.hide_in_text(segments)
    if not _unsubscribes(segments):
        masked += mask.hide_in_text(files.segments("unsubscribe.txt", _UNSUBSCRIBE_TEXT))
    return text.tidy(mask, tracker.in_text(masked))


def _honeypot(hidden_url: str) -> str:
    return _HONEYPOT % links.tracked(links.HONEYPOT, str(escape(hidden_url))) if hidden_url else ""


def _unsubscribes(segments: list[Segment]) -> bool:
    return any(links.UNSUBSCRIBE in segment.words for segment in segments)


def _append(html: str, snippet: str) -> str:
    before, end, after = html.rpartition("</body>")
    return before + snippet + end + after if end else html + snippet
