"""Values of cells: text, addresses, time zones, languages, yes or no, and dates, mended where the meaning is clear."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from engine.audience import addresses, zones
from errors import InvalidInput

ATTRIBUTE_CHARS = 1_000
CHARS = {"first_name": 100, "last_name": 100, "industry": 50, "role": 50, "company": 100, "locale": 20}

Answer: TypeAlias = Literal["yes", "no", "unknown"]

_BREAK = re.compile(r"[\r\n\t\x0b\x0c\x85\u2028\u2029]+")
_SPACE = re.compile(r"[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Invisible characters that no text needs: soft hyphens, zero-width spaces, byte order marks, changes of direction.
_INVISIBLE = re.compile("[\xad\u200b\u2060-\u2064\ufeff\u202a-\u202e\u2066-\u2069]")
_MARKS = "\u200c\u200d\u200e\u200f\u061c"  # joiners and marks of direction: needed within a text, never around it
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")

_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_LANGUAGES = {
    name: tag
    for tag, names in {
        "es": "spanish espanol castellano",
        "en": "english ingles",
        "ca": "catalan catala valenciano",
        "eu": "basque euskera vasco",
        "gl": "galician gallego galego",
        "fr": "french frances francais",
        "de": "german aleman deutsch",
        "it": "italian italiano",
        "pt": "portuguese portugues",
        "nl": "dutch neerlandes holandes nederlands",
    }.items()
    for name in names.split()
}

_OUT = (
    "unsubscribed|unsubscribe|opted out|opted-out|opt out|opt-out|optout|baja|dado de baja|dada de baja|de baja|"
    "desuscrito|desuscrita|do not email|do not contact|do not allow|no contactar|no permitir|blacklisted|complained"
)
_YES_WORDS = "yes y true t 1 -1 1.0 si sí s x on ok verdadero cierto v oui ja sim ✓ ✔ ☑ ✅"
_NO_WORDS = (
    "no n false f 0 0.0 off falso - -- – — none null n/a na ninguno nunca non nein não ☐ allow permitir subscribed "
    "suscrito suscrita opted-in opt-in active activo activa"
)
_SAYS_OUT = frozenset(_OUT.split("|"))
_YES = _SAYS_OUT.union(_YES_WORDS.split())
_NO = frozenset(_NO_WORDS.split())

_DIVIDER = re.compile(r"[<>;,\s]")
_BETWEEN = re.compile(r":::|[;,\s]+")
_ANGLE = re.compile(r"<([^<>\s@]+@[^<>\s@]+)>")
_CANDIDATES_MAX = 5

_NUMERIC_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_WORDED_DATES = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")


def tidy(cell: str) -> str:
    """Return the text of a cell in composed form (NFC) on one line, without invisible characters and outer spaces."""
    if cell.isprintable() and cell.isascii():
        return cell.strip()
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", cell))
    text = " ".join(line for part in _BREAK.split(_SPACE.sub(" ", text)) if (line := part.strip()))
    return text.strip().strip(_MARKS).strip()


def mend(column: str, text: str) -> tuple[str, str | None]:
    """Return a tidy text as the column can hold it, empty if it cannot, and a note if something was lost."""
    if column == "timezone":
        zone = zones.resolve(text)
        return zone or "", None if zone else "is no known time zone, left out; Europe/Madrid is one"
    if column == "locale":
        tag = _language(text)
        return tag or "", None if tag else "is no known language, left out; es and es-MX are some"
    note = None
    if (not text.isprintable() or "\ufffd" in text) and (readable := _UNREADABLE.sub("", text)) != text:
        text, note = readable.strip(), "had unreadable characters, which were removed"
    limit = CHARS.get(column, ATTRIBUTE_CHARS)
    if len(text) <= limit:
        return text, note
    if " " not in text[:limit]:
        return "", f"has more than {limit} characters without a space, left out"
    return f"{text[: limit - 1].rpartition(' ')[0]}…", f"had more than {limit} characters and was cut"


def _language(text: str) -> str | None:
    """Return the tag of a language given as a tag or by its name, such as Spanish (Spain)."""
    if _LOCALE.fullmatch(text) and len(text) <= CHARS["locale"]:
        return text
    word = re.split(r"[ (,/.-]", unicodedata.normalize("NFKD", text.casefold()), maxsplit=1)[0]
    return _LANGUAGES.get("".join(filter(str.isalpha, word)))


def is_address(cell: str) -> bool:
    """Return True if the cell holds one address and nothing else, except a name before `<…>`."""
    text = tidy(cell)
    angle = re.fullmatch(r"[^<>@]*<([^<>\s]+)>", text)
    try:
        addresses.normalise(_bare(angle.group(1) if angle else text))
    except InvalidInput:
        return False
    return True


def address(text: str) -> tuple[str, str | None]:
    """Return the normalised address of a tidy text, and a note if it had to be mended; raise InvalidInput for none.

    `Ana <ana@a.example>`, `mailto:ana@a.example`, a dot at the end and full-width characters are mended. Of several
    addresses the first counts.
    """
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    if folded != text and folded.isascii():
        return addresses.normalise(folded, field="email"), "was mended to an address"
    if _DIVIDER.search(text):  # no address has one; the validator would take 100 µs to refuse it
        parts = [part for part in _BETWEEN.split(text) if part]
        several = len(parts) > 1 and all("@" in part for part in parts)
        note = "has several addresses; the first counts" if several else "was mended to an address"
        candidates = parts if several else [text]
    else:
        try:
            return addresses.normalise(text, field="email"), None
        except InvalidInput:
            candidates, note = [text], "was mended to an address"
    for candidate in candidates[:_CANDIDATES_MAX] if "@" in text else []:
        if mended := _mended(candidate):
            return mended, note
    return addresses.normalise(text, field="email"), None


def _mended(text: str) -> str | None:
    angle = _ANGLE.search(text)
    bare = _bare(unicodedata.normalize("NFKC", angle.group(1) if angle else text)).strip("\"'<>()[],;: ").rstrip(".")
    try:
        return addresses.normalise(bare, field="email")
    except InvalidInput:
        return None


def _bare(text: str) -> str:
    return text[7:] if text[:7].casefold() == "mailto:" else text


def answer(text: str) -> Answer:
    """Return the meaning of a cell of a yes-or-no column; a date means yes."""
    word = text.casefold().strip(" .!")
    if word in _YES:
        return "yes"
    if not word or word in _NO:
        return "no"
    return "yes" if moment(text) else "unknown"


def says_out(text: str) -> bool:
    """Return True if a cell of a column of states says that the contact gets no e-mail."""
    return text.casefold().strip(" .!") in _SAYS_OUT


def moment(text: str) -> datetime | None:
    """Return the moment of a date as spreadsheets and CRMs write it, None for other text; without a zone it is UTC.

    02/01/2024 is read with the day first if that is a date.
    """
    try:
        parsed = _parsed(text.strip())
    except ValueError:
        return None
    if parsed is None:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _parsed(text: str) -> datetime | None:
    numeric = _NUMERIC_DATE.fullmatch(text)
    if numeric:
        first, second, year, hour, minute, seconds = (int(part or 0) for part in numeric.groups())
        day, month = (first, second) if second <= 12 or first > 12 else (second, first)
        return datetime(year, month, day, hour, minute, seconds, tzinfo=UTC)
    if re.match(r"\d{4}-\d\d-\d\d", text):
        return datetime.fromisoformat(text)
    for form in _WORDED_DATES if text[:1].isalnum() else ():
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
