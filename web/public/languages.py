"""Languages of the public pages; each is a folder in `templates/public/`."""

from pathlib import Path
from uuid import UUID

from flask import request

from engine.delivery import outbox
from engine.templates.compiling import UnusableTemplate
from errors import Unavailable
from web import process

DEFAULT = "es"
_FOLDER = Path(__file__).parent / "templates" / "public"
AVAILABLE = tuple(sorted(entry.name for entry in _FOLDER.iterdir() if entry.is_dir()))


def of_mail(email_id: UUID) -> str:
    """Return the language of the e-mail's contact, else of its template, else the default.

    While the database is unavailable, return the browser's language.
    """
    try:
        hints = process.current().ingest.run(lambda session: outbox.language_hints(session, email_id))
    except Unavailable:
        return of_browser()
    if hints is None:
        return DEFAULT
    return of_tag(hints.locale) or of_tag(_of_template(hints.template)) or DEFAULT


def of_browser() -> str:
    """Return the available language that the browser prefers, else the default."""
    return request.accept_languages.best_match(AVAILABLE) or DEFAULT


def of_tag(tag: str | None) -> str | None:
    """Return the available language of a tag like `en-GB` (RFC 5646) or a locale like `es_MX`, else None."""
    primary = (tag or "").replace("_", "-").partition("-")[0].lower()
    return primary if primary in AVAILABLE else None


def _of_template(name: str) -> str | None:
    try:
        return process.current().library.get(name).language
    except UnusableTemplate:  # it was removed or broken after the sending
        return None
