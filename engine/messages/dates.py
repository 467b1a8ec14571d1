"""Days as people write them, in the languages of our e-mails and readers' pages."""

from datetime import date

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
_DAY = {"en": "{day} {month} {year}", "es": "{day} de {month} de {year}"}


def day(of: date, language: str) -> str:
    """Return a day as it is written in a language; as 2026-11-30 in one without words here."""
    if language not in _DAY:
        return of.isoformat()
    return _DAY[language].format(day=of.day, month=_MONTHS[language].split()[of.month - 1], year=of.year)
