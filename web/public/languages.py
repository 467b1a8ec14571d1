"""The languages of the readers' pages: a folder of `templates/public/` each, so a new one is a new folder."""

from pathlib import Path
from uuid import UUID

from flask import request

from engine.delivery import outbox
from engine.templates.templates import UnknownTemplate
from errors import Unavailable
from web import process

DEFAULT = "es"
_FOLDER = Path(__file__).parent / "templates" / "public"
SHIPPED = tuple(sorted(entry.name for entry in _FOLDER.iterdir() if entry.is_dir()))


def of_mail(email_id: UUID) -> str:
    """The language of this e-mail: its contact's, else its template's, else the default; while the database is away
    the browser's."""
    try:
        hints = process.current().ingest.run(lambda session: outbox.language_hints(session, email_id))
    except Unavailable:
        return of_browser()
    if hints is None:
        return DEFAULT
    return of_tag(hints.locale) or of_tag(_of_template(hints.template)) or DEFAULT


def of_browser() -> str:
    """The language that the browser asks for, where nothing of a mail is known."""
    return request.accept_languages.best_match(SHIPPED) or DEFAULT


def of_tag(tag: str | None) -> str | None:
    """The shipped language that a tag like `en-GB` (RFC 5646) or a locale like `es_MX` stands for; None for others."""
    primary = (tag or "").replace("_", "-").partition("-")[0].lower()
    return primary if primary in SHIPPED else None


def _of_template(name: str) -> str | None:
    try:
        return process.current().library.get(name).language
    except UnknownTemplate:  # it was there when the mail was sent
        return None
