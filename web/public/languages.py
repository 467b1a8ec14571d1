"""Languages of the public pages; each is a folder in `templates/public/`."""

from datetime import UTC, datetime
from pathlib import Path

from flask import request

from engine.messages import dates
from engine.templates.compiling import UnusableTemplate
from errors import Unavailable
from web import process

DEFAULT = "es"
_FOLDER = Path(__file__).parent / "templates" / "public"
AVAILABLE = tuple(sorted(entry.name for entry in _FOLDER.iterdir() if entry.is_dir()))


def of_browser() -> str:
    """Return the available language that the browser prefers, else the default."""
    if "HTTP_ACCEPT_LANGUAGE" not in request.environ:
        return DEFAULT
    return request.accept_languages.best_match(AVAILABLE) or DEFAULT


def of_tag(tag: str | None) -> str | None:
    """Return the available language of a tag like `en-GB` (RFC 5646) or a locale like `es_MX`, else None."""
    primary = (tag or "").replace("_", "-").partition("-")[0].lower()
    return primary if primary in AVAILABLE else None


def of_template(name: str, version: int | None) -> str | None:
    """Return the available language of an e-mail's template, else None."""
    try:
        return of_tag(process.current().library.pinned(name, version).language)
    except (UnusableTemplate, Unavailable):  # it was removed or broken after the sending
        return None


def day(moment: datetime, language: str) -> str:
    """Return the day of a moment in UTC as it is written in a language."""
    return dates.day(moment.astimezone(UTC).date(), language)
