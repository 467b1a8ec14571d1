"""Spanish and English, by Flask-Babel: the account's language, else the browser's, else Spanish.

Message texts are English; `translations/es` has the Spanish ones, compiled by `make translations`.
"""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask, g, request
from flask_babel import Babel, format_datetime, format_decimal, format_percent, get_locale, gettext

from engine.access.accounts import LANGUAGES

FOLDER = Path(__file__).parents[1] / "translations"
_NAME = "pages-babel"


def install(app: Flask) -> None:
    """Configure the languages of the pages, and the filters `moment` and `number` of their templates."""
    app.extensions[_NAME] = Babel(
        app, default_translation_directories=str(FOLDER), locale_selector=current, default_domain="messages"
    )
    app.jinja_env.filters.update(moment=moment, number=number, percent=percent)


def current() -> str:
    """Return the language of this request."""
    account = g.get("account")
    chosen: str | None = account.language if account else None
    return chosen or request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def number(value: float) -> str:
    """Return a number as the language writes it: 1.234 in Spanish, 1,234 in English."""
    written: str = format_decimal(value)
    return written


def percent(share: float) -> str:
    """Return a share as a percentage: 12,5 % in Spanish, 12.5% in English."""
    written: str = format_percent(share, "#,##0.#\xa0%" if current() == "es" else "#,##0.#%")
    return written


def day_names() -> list[str]:
    """Return the short names of the days, from Monday."""
    return [str(name) for _, name in sorted(get_locale().days["format"]["abbreviated"].items())]


def moment(value: datetime | None, zone: str | None = None) -> str:
    """Return a moment as the language writes it, in this time zone and with its name; a word for None.

    Without a zone, as on pages that are not about one campaign, in that of the account, or else in UTC.
    """
    if zone is None:
        account = g.get("account")
        zone = (account.timezone if account else None) or "UTC"
    if value is None:
        return str(gettext("not yet"))
    written: str = format_datetime(value.astimezone(ZoneInfo(zone)), "d MMM y, HH:mm", rebase=False)
    return f"{written} {zone}"
