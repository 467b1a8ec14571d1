"""Rendering of a landing page: once for each version and language, with gaps for the values of a visit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import render_template, url_for
from markupsafe import Markup

from engine.forms import definitions
from engine.forms.forms import StoredForm
from engine.landing import rich_text
from engine.landing.content import Content
from web import process
from web.public.forms import markup

_GAP = "\x02"  # around the name of a gap; no text of a page may have it
STAMP, UTM, QUERY, GREETING = "stamp", "utm", "query", "greeting"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'{target}; frame-ancestors {ancestors}; base-uri 'none'"
)
_LOCALES = {"es": "es_ES", "en": "en_GB"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page in one language: pieces of HTML, each other one the name of a gap, and the headers of each response."""

    language: str
    pieces: tuple[bytes, ...]
    gaps: tuple[str, ...]
    policy: str

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        """Return the page with its gaps filled; a missing value is empty."""
        whole = [self.pieces[0]]
        for gap, piece in zip(self.gaps, self.pieces[1:], strict=True):
            whole += (values.get(gap, b""), piece)
        return b"".join(whole)


@dataclass(frozen=True, slots=True)
class Subject:
    """The content of a page to render, its form if it takes submissions, and the values typed into it."""

    slug: str
    content: Content
    form: StoredForm | None = None
    typed: Mapping[str, str] | None = None
    codes: Mapping[str, str] | None = None


def render(subject: Subject, language: str, *, is_preview: bool = False) -> Rendered:
    """Return the page in one of its languages. A preview reports no conversion and may be in a frame of our pages."""
    content, form = subject.content, subject.form
    html = render_template(
        "landing/page.html",
        page=content,
        slug=subject.slug,
        language=language,
        locale=_LOCALES[language],
        brand=process.current().brand,
        address=f"{process.current().own_pages}{subject.slug}",
        origin=definitions.origin_of(process.current().settings.public_url) or "",
        style=url_for("landing.style", name=style_name(content)),
        form=_form_values(form, language, subject) if form else None,
        is_preview=is_preview,
        gap=_gap,
        text=lambda texts: definitions.in_language(texts or {}, language),
        rich=lambda texts: Markup(rich_text.html(definitions.in_language(texts or {}, language))),  # noqa: S704  # cleaned
    )
    pieces_and_gaps = re.split(f"{_GAP}([a-z]+){_GAP}", html.lstrip())
    redirect = form.definition.redirect if form else None
    target = f" {definitions.origin_of(redirect)}" if redirect else ""  # browsers apply form-action to it as well
    policy = _POLICY.format(target=target, ancestors="'self'" if is_preview else "'none'")
    pieces = tuple(piece.encode() for piece in pieces_and_gaps[::2])
    return Rendered(language, pieces, tuple(pieces_and_gaps[1::2]), policy)


def style_name(content: Content) -> str:
    """Return the name of the style sheet with the colours of a page."""
    return f"{content.color[1:]}-{content.background[1:]}"


def _gap(name: str) -> Markup:
    return Markup(f"{_GAP}{name}{_GAP}")  # noqa: S704  # a constant


def _form_values(form: StoredForm, language: str, subject: Subject) -> dict[str, Any]:
    return {
        "fields": markup.fields(form, language),
        "consent": definitions.in_language(form.definition.consent, language),
        "title": definitions.in_language(form.definition.title, language),
        "typed": subject.typed or {},
        "codes": subject.codes or {},
    }
