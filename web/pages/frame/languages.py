"""Spanish and English, by Flask-Babel: the account's language, else the browser's, else Spanish.

Message texts are English; `translations/es` has the Spanish ones, compiled by `make translations`.
"""

from datetime import datetime
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, numbers
from flask import Flask, g, request
from flask_babel import Babel, format_percent, get_locale, get_translations, gettext

from engine.access.accounts import LANGUAGES

FOLDER = Path(__file__).parents[1] / "translations"
_NAME = "pages-babel"


def install(app: Flask) -> None:
    """Configure the languages of the pages, and the filters `moment` and `number` of their templates."""
    app.extensions[_NAME] = Babel(
        app, default_translation_directories=str(FOLDER), locale_selector=current, default_domain="messages"
    )
    app.jinja_env.filters.update(moment=moment, number=number, percent=percent)
    app.jinja_env.install_gettext_callables(_text, _plural, newstyle=True)  # type: ignore[attr-defined]  # of its extension


def _translations() -> NullTranslations:
    """Return the texts in this request's language. Flask-Babel needs 60 us at each text, of which a page has 400."""
    if "translations" not in g:
        g.translations = get_translations()
    texts: NullTranslations = g.translations
    return texts


def _text(message: str) -> str:
    return _translations().gettext(message)


def _plural(one: str, many: str, number: int) -> str:
    return _translations().ngettext(one, many, number)


def current() -> str:
    """Return the language of this request."""
    account = g.get("account")
    chosen: str | None = account.language if account else None
    return chosen or request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def number(value: float) -> str:
    """Return a number as the language writes it: 1.234 in Spanish, 1,234 in English."""
    return _number(value, current())


@lru_cache(maxsize=4_096)
def _number(value: float, language: str) -> str:
    written: str = numbers.format_decimal(value, locale=language)
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
    local = value.astimezone(ZoneInfo(zone))
    return f"{local.day} {_months(current())[local.month]} {local.year}, {local:%H:%M} {zone}"


@lru_cache
def _months(language: str) -> dict[int, str]:
    """Return the short names of the months. Babel needs 50 us to write a moment, and a page has 100 of them."""
    return dict(Locale.parse(language).months["format"]["abbreviated"])
