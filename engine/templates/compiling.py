"""From a template's folder to code: layout filled in, CSS inlined, links tracked, text made; once per process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import css_inline
import jinja2
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from markupsafe import escape

from engine.templates import links, sandbox, sources, template_analysis, text, variables
from engine.templates.mask import Mask
from engine.templates.sources import Segment
from errors import CadenciaError

SUBJECT_CHARS_MAX = 255  # the column emails.subject

HTML = sandbox.Environment(autoescape=True, bytes_filters={links.CLICKED: links.clicked})
TEXT = sandbox.Environment(autoescape=False, bytes_filters={links.CLICKED: links.clicked})

_CSS = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
_PIXEL = '<img src="{{ _pixel }}" width="1" height="1" alt="" style="display:block;border:0;">'
_HONEYPOT = '<a href="%s" style="display:none;" aria-hidden="true" tabindex="-1"></a>'
_UNSUBSCRIBE_HTML = (
    '{% if unsubscribe_url %}<p style="font-size:12px;text-align:center;">¿No quieres recibir más correos como este? '
    '<a href="{{ unsubscribe_url }}">Darme de baja</a></p>{% endif %}'
)
_UNSUBSCRIBE_TEXT = (
    "{% if unsubscribe_url %}\n\n--\n¿No quieres recibir más correos como este? {{ unsubscribe_url }}\n{% endif %}"
)
_OURS = frozenset({links.UNSUBSCRIBE, links.PIXEL})


class BrokenTemplate(CadenciaError):
    """A template on disk cannot be used; names the template, the file and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Sources:
    """A template as Jinja, with all in it that a mail needs, and what is known of it before any mail."""

    subject: str
    html: str
    text: str
    targets: tuple[str, ...]  # of its links
    identifiers: frozenset[str]  # every name in its code
    sample: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template as code."""

    code: tuple[jinja2.Template, jinja2.Template, jinja2.Template]  # subject, HTML, text
    sources: Sources
    safe_variables: template_analysis.SafeVariables | None
    is_simple: bool
    in_links: tuple[frozenset[str], ...]  # the variables in each link's target
    required: frozenset[str]
    in_subject: frozenset[str]
    names: tuple[str, ...]  # every variable, ours included


def compile_folder(folder: Path, hidden_url: str = "") -> Compiled:
    """The template in `folder`; BrokenTemplate if a file is missing, is no Jinja, or does what no mail can.

    `hidden_url` is where the HTML's hidden link leads, which scanners alone follow; empty: there is none.
    """
    try:
        return _compiled(folder, hidden_url)
    except TemplateError as error:
        place = f"{error.filename or 'body'} line {error.lineno}" if isinstance(error, TemplateSyntaxError) else "body"
        raise BrokenTemplate(f"template {folder.name!r}, {place}: {error.message}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenTemplate(f"template {folder.name!r}: {error}") from error


def sources_in(folder: Path, hidden_url: str = "") -> Sources:
    """The template in `folder` as Jinja, with a hidden link as in `compile_folder`.

    Raises what Jinja, the file system or the JSON of its sample raises.
    """
    mask = Mask()
    tracker = links.Tracker(mask)
    subject = _subject(folder)
    html = tracker.in_html(_inlined(folder, mask))
    text = _text(folder, mask, tracker, html)
    identifiers = {word.strip("'\"") for code in mask.codes for word in code.words}
    return Sources(
        subject=subject,
        html=_append(mask.restore(html), _PIXEL + _honeypot(hidden_url)),
        text=mask.restore(text),
        targets=tuple(tracker.targets),
        identifiers=variables.named(TEXT.parse(subject)).union(identifiers),
        sample=json.loads(_read(folder, "sample.json")),
    )


def _compiled(folder: Path, hidden_url: str) -> Compiled:
    sources = sources_in(folder, hidden_url)
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


def _subject(folder: Path) -> str:
    source = " ".join(_read(folder, "subject.txt").split())
    if not 0 < len(source) <= SUBJECT_CHARS_MAX:
        raise ValueError(f"subject.txt: has {len(source)} characters, 1 to {SUBJECT_CHARS_MAX} are needed")
    return source


def _inlined(folder: Path, mask: Mask) -> str:
    """The masked HTML with its CSS in the elements, its media queries kept, and an unsubscribe line."""
    segments = _segments(folder, "body.html")
    html = mask.hide_in_html(segments)
    if not _unsubscribes(segments):
        html = _append(html, mask.hide_in_html(_snippet(_UNSUBSCRIBE_HTML)))
    html = _CSS.inline(html)
    if not mask.is_complete(html):
        raise ValueError("body.html: code was lost in inlining the CSS; in a style it may only stand for a value")
    return html


def _text(folder: Path, mask: Mask, tracker: links.Tracker, html: str) -> str:
    """The masked text: the one written in body.txt, or else the one the HTML gives."""
    if not (folder / "body.txt").exists():
        return text.of_html(mask, html)
    segments = _segments(folder, "body.txt")
    masked = mask.hide_in_text(segments)
    if not _unsubscribes(segments):
        masked += mask.hide_in_text(_snippet(_UNSUBSCRIBE_TEXT))
    return text.tidy(mask, tracker.in_text(masked))


def _honeypot(hidden_url: str) -> str:
    return _HONEYPOT % links.tracked(links.HONEYPOT, str(escape(hidden_url))) if hidden_url else ""


def _segments(folder: Path, filename: str) -> list[Segment]:
    return sources.flatten(HTML, lambda name: _read(folder, name), filename)


def _snippet(source: str) -> list[Segment]:
    return sources.flatten(HTML, lambda _: source, "unsubscribe line")


def _unsubscribes(segments: list[Segment]) -> bool:
    return any(links.UNSUBSCRIBE in segment.words for segment in segments)


def _append(html: str, snippet: str) -> str:
    before, end, after = html.rpartition("</body>")
    return before + snippet + end + after if end else html + snippet


def _read(folder: Path, name: str) -> str:
    """A file of the template, or the one the templates share."""
    if Path(name).name != name:
        raise ValueError(f"{name}: only files of the template and its parent folder can be used")
    own = folder / name
    return (own if own.exists() else folder.parent / name).read_text("utf-8")
