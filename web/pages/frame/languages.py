"""Spanish and English, by Flask-Babel: the account's language, else the browser's, else Spanish.

Message texts are English; `translations/es` has the Spanish ones, compiled by `make translations`. A page has some 400
texts and numbers and 100 moments, so parts that do not depend on its data are cached in the process.
"""

from datetime import date, datetime
from functools import cache, lru_cache
from gettext import NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, numbers
from babel.support import Translations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain
from markupsafe import Markup

from engine.access.accounts import LANGUAGES
from web.pages.frame import rendering

FOLDER = Path(__file__).parents[1] / "translations"
_NAME = "pages-babel"


class _Texts(Domain):  # type: ignore[misc]  # Flask-Babel has no types
    """The translations in this request's language. Flask-Babel's own needs 60 us at each text to find them."""

    def get_translations(self) -> NullTranslations:
        return _translations(current())

    def gettext(self, string: str, **variables: object) -> str:
        """Return a text in the language of this request, with these values; outside a request in English."""
        text = _plain(string, current()) if has_request_context() else string
        return text % variables if variables else text


_TEXTS = _Texts()
gettext, lazy_gettext = _TEXTS.gettext, _TEXTS.lazy_gettext


def install(app: Flask) -> None:
    """Configure the languages of the pages, and the filters `moment` and `number` of their templates."""
    app.jinja_environment = rendering.Environment
    babel = Babel(app, default_translation_directories=str(FOLDER), locale_selector=current)
    babel.domain_instance = _TEXTS
    app.extensions[_NAME] = babel
    app.jinja_env.filters.update(moment=moment, number=number, percent=percent)
    app.jinja_env.globals.update(_=_text, gettext=_text, ngettext=_plural)


@cache
def _translations(language: str) -> NullTranslations:
    return Translations.load(str(FOLDER), [language])


def _text(message: str, /, **values: object) -> Markup:
    """Return a text of a template in the reader's language, with these values, escaped."""
    if not values:
        return _constant(message, current())
    return _safe(_translations(current()).gettext(message)) % values


@lru_cache(maxsize=4_096)
def _plain(message: str, language: str) -> str:
    return _translations(language).gettext(message)


@lru_cache(maxsize=4_096)
def _constant(message: str, language: str) -> Markup:
    return _safe(_plain(message, language)) % {}


def _plural(one: str, many: str, count: int, /, **values: object) -> Markup:
    return _safe(_translations(current()).ngettext(one, many, count)) % {"num": number(count), **values}


def _safe(text: str) -> Markup:
    return Markup(text)  # noqa: S704  # of a template or a translator; values in it are escaped


def current() -> str:
    """Return the language of this request."""
    kept = g._get_current_object()  # a page asks some hundred times, and each attribute of a proxy costs 2 us
    language: str | None = kept.get("language")
    if language is None:
        account = kept.get("account")
        chosen: str | None = account.language if account else None
        language = kept.language = chosen or request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
    return language


def number(value: float) -> str:
    """Return a number as the language writes it: 1.234 in Spanish, 1,234 in English."""
    return _number(value, current())


@lru_cache(maxsize=4_096)
def _number(value: float, language: str) -> str:
    written: str = numbers.format_decimal(value, locale=language)
    return written


def percent(share: float) -> str:
    """Return a share as a percentage: 12,5 % in Spanish, 12.5% in English."""
    return number(round(share * 100, 1)) + ("\xa0%" if current() == "es" else "%")


@cache
def _day_names(language: str) -> tuple[str, ...]:
    names = Locale.parse(language).days["format"]["abbreviated"]
    return tuple(str(name) for _, name in sorted(names.items()))


def day_names() -> tuple[str, ...]:
    """Return the short names of the days, from Monday."""
    return _day_names(current())


def day(value: date) -> str:
    """Return a day of this year as the language writes it: 5 nov, 5 Nov."""
    return f"{value.day} {_months(current())[value.month]}"


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
    return f"{day(local)} {local.year}, {local.hour:02}:{local.minute:02} {zone}"


@cache
def _months(language: str) -> dict[int, str]:
    """Return the short names of the months. Babel needs 50 us to write a moment."""
    return dict(Locale.parse(language).months["format"]["abbreviated"])
