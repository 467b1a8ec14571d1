"""Columns of a file of contacts: the meaning of each by its name in English or Spanish, or by the caller's mapping."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from errors import InvalidInput

EMAIL, OPT_OUT, OPT_IN, STATUS = "email", "opt_out", "opt_in", "status"
CONVERTED, CONVERTED_AT = "converted", "converted_at"
DETAILS = ("first_name", "last_name", "industry", "role", "company", "timezone", "locale")
ATTRIBUTE = "attribute"  # keep the cells of a column under its own name
MEANINGS = (EMAIL, *DETAILS, OPT_OUT, OPT_IN, CONVERTED, CONVERTED_AT)
LISTED_MAX = 20  # names in an error

# Names of our columns, in lower case without accents. A number is left out: `E-mail 1 - Value` is e_mail_value.
_NAMES = {
    EMAIL: "email e_mail mail email_address e_mail_address mail_address correo correo_e correo_electronico "
    "direccion_de_correo direccion_de_correo_electronico direccion_de_email e_mail_value email_value primary_email "
    "main_email email_principal correo_principal",
    "first_name": "first_name firstname fname first given_name forename nombre nombres nombre_de_pila name_first",
    "last_name": "last_name lastname lname last surname family_name apellido apellidos primer_apellido name_last",
    "industry": "industry industria sector sector_de_actividad",
    "role": "role job_title jobtitle job position puesto puesto_de_trabajo cargo organization_title organizacion_cargo "
    "organizacion_puesto",
    "company": "company company_name organization organisation organization_name organisation_name account_name "
    "company_account empresa compania nombre_de_la_empresa nombre_de_empresa nombre_de_la_cuenta empresa_cuenta "
    "razon_social employer organizacion nombre_de_la_organizacion organizacion_nombre",
    "timezone": "timezone time_zone zona_horaria huso_horario tz",
    "locale": "locale language preferred_language idioma idioma_preferido lengua hs_language",
    CONVERTED: "converted is_converted isconverted convertido convertida ha_convertido conversion",
    CONVERTED_AT: "converted_at converted_date converteddate conversion_date date_converted fecha_de_conversion "
    "fecha_conversion convertido_el",
    STATUS: "status estado subscription_status email_status email_marketing_status marketing_status "
    "email_subscription_status subscriber_status estado_de_suscripcion estado_suscripcion estado_de_la_suscripcion",
}
# These count only if the file has no better column for the same meaning.
_WEAK_NAMES = {
    "first_name": "name full_name contact_name person_name nombre_completo nombre_y_apellidos display_name",
    "role": "title",
    "company": "associated_company account cuenta",
}
_BY_NAME = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}
_BY_WEAK_NAME = {name: meaning for meaning, names in _WEAK_NAMES.items() for name in names.split()}

_BY_PATTERN = (
    (OPT_OUT, re.compile(
        r"(?:has_|is_)?(?:e_?mail_|marketing_)?opt(?:ed|s)?_?outs?(?:_(?:of|from)_.*|_e_?mails?)?|hasoptedoutofe?mail"
        r"|(?:is_|has_|e_?mail_)?unsub(?:scribe[ds]?)?(?:_(?:from|of)_.*|_e_?mails?|_time)?|e_?mail_blacklisted"
        r"|do_?not_?(?:e_?mail|contact|send(?:_e_?mails?)?|allow_(?:bulk_)?e_?mails?)|no_(?:e_?mails?|contact)"
        r"|(?:dado_de_|dada_de_|de_)?baja(?:_(?:de_|del_|en_)?(?:e_?mails?|correos?|newsletter|boletin|lista|comunicaciones))?"
        r"|no_(?:contactar|molestar|enviar(?:_.*)?|desea_(?:recibir_)?(?:e_?mails?|correos?|publicidad|comunicaciones))"
        r"|no_particip\w+?_(?:en_|por_)?(?:el_)?(?:e_?mails?|correos?)(?:_electronicos?)?|suscripcion_cancelada"
        r"|(?:cancel|anul)\w+?_suscripcion(?:_.*)?|exclu\w+?_(?:e_?mails?|correos?)(?:_electronicos?)?|clean_time"
        r"|(?:se_ha_)?(?:desuscrit[oa]|desuscribir|darse_de_baja|dado_de_baja)"
    )),
    (OPT_IN, re.compile(
        r"accepts_(?:e_?mail_)?marketing|(?:e_?mail_)?opt(?:ed)?_?in(?:_e_?mail)?|(?:is_)?subscribed|suscrit[oa]"
        r"|acepta_(?:publicidad|marketing|correos|e_?mails|comunicaciones(?:_comerciales)?)"
    )),
)  # fmt: skip

# A name with such a word may be an address if its cells are: `Correo del trabajo`, `Secondary Email`.
_MAIL = "email emails mail mails correo correos courriel emailaddress"
# It is not an address of the contact with one of these.
_OTHER = (
    "type tipo label etiqueta display name nombre status estado opt out in subscribed unsubscribed bounced bounce sent "
    "open opened opens click clicked clicks count number date fecha last time domain dominio owner propietario "
    "validity verified quality source origen format client subject asunto list id hash no not do score confidence by "
    "permission assigned agent comercial manager user creator created modified sender from rep salesperson gestor "
    "responsable supervisor assistant asistente referrer reports partner"
)
_SECOND = "secondary second other alternate alternative segundo otro alternativo secundario"
_MAIL_WORDS, _OTHER_WORDS, _SECOND_WORDS = (frozenset(words.split()) for words in (_MAIL, _OTHER, _SECOND))
_NUMBERED = re.compile(r"#(\d{1,4})")
_NUMBER = re.compile(r"_?(\d{1,2})(?=_|$)")


class Named(NamedTuple):
    """The meaning that a column's name suggests; the least `rank` of several such columns comes first."""

    meaning: str
    rank: tuple[int, int]
    is_weak: bool = False
    needs_content: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in the file, and how it is understood.

    `meaning` is one of `MEANINGS` or `status`, or None; `attribute` is the name under which cells are kept that are not
    used for the meaning, None if they are left out. `by` is name, content or map: the source of the meaning; None
    without a meaning. `after` names the column that counts before this one, if both are filled.
    """

    index: int
    name: str
    meaning: str | None = None
    attribute: str | None = None
    by: str | None = None
    after: str | None = None
    rank: tuple[int, int] = (1, 0)


def plain(name: str) -> str:
    """Return a name as a template variable: lower case, no accents, words joined by underscores."""
    bare = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")[:50].rstrip("_")


def named(name: str) -> Named | None:
    """Return the meaning that the name of a column suggests, None if none."""
    written = plain(name)
    base, number = _NUMBER.sub("", written).strip("_"), _NUMBER.search(written)
    rank = (int(number.group(1)) if number else 1, int(not _SECOND_WORDS.isdisjoint(written.split("_"))))
    for key in (written, base):
        if key in _BY_NAME:
            return Named(_BY_NAME[key], rank)
        if key in _BY_WEAK_NAME:
            return Named(_BY_WEAK_NAME[key], rank, is_weak=True)
    for meaning, pattern in _BY_PATTERN:
        if pattern.fullmatch(written):
            return Named(meaning, rank)
    words = set(base.replace("e_mail", "email").split("_"))
    if words & _MAIL_WORDS and not words & _OTHER_WORDS:
        return Named(EMAIL, rank, needs_content=True)
    return None


def target(text: str) -> str:
    """Return the meaning or attribute that a caller's mapping names; empty for a column to leave out."""
    name = plain(text)
    if name in MEANINGS or name in (STATUS, ATTRIBUTE):
        return name
    by_name = _BY_NAME.get(name) or _BY_WEAK_NAME.get(name)
    if by_name:
        return by_name
    if close := get_close_matches(name, MEANINGS, n=1, cutoff=0.8):
        raise InvalidInput.of("map", f"{name!r} is no known column; did you mean {close[0]!r}?")
    return name


def mapped(header: Sequence[str], mapping: Sequence[str]) -> dict[int, str]:
    """Return the targets of the columns that a caller maps by `NAME=target` or `#3=target`, by their indexes.

    Raises InvalidInput for an entry of another form and for a name that the file does not have.
    """
    targets: dict[int, str] = {}
    for entry in mapping:
        name, equals, word = entry.rpartition("=")
        if not equals or not name.strip():
            raise InvalidInput.of("map", f"{shown(entry)!r} is not NAME=target, such as 'E-mail 1 - Value=email'")
        indexes = [index for index, written in enumerate(header) if _same(written, name)] or _numbered(header, name)
        if not indexes:
            raise InvalidInput.of("map", f"the file has no column {shown(name)!r}; {_listed(header, name)}")
        targets |= dict.fromkeys(indexes, target(word))
    return targets


def by_name(mapping: Sequence[str]) -> list[str]:
    """Return the entries that name their column, by which the header is recognised."""
    return [entry for entry in mapping if not _NUMBERED.fullmatch(entry.rpartition("=")[0].strip())]


def shown(name: str, index: int | None = None) -> str:
    """Return a column's name for a report; a name that is empty or may hold an address is replaced by its number."""
    tidy = " ".join(name.split())
    if not tidy or "@" in tidy:
        return f"column {index + 1}" if index is not None else "…@…"
    return tidy if len(tidy) <= 60 else f"{tidy[:59]}…"


def names(header: Sequence[str]) -> str:
    """Return the names of the columns for an error."""
    listed = [shown(name, index) for index, name in enumerate(header[:LISTED_MAX])]
    more = len(header) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more > 0 else "")


def _same(written: str, name: str) -> bool:
    if " ".join(written.casefold().split()) == " ".join(name.casefold().split()):
        return True
    return bool(plain(name)) and plain(written) == plain(name)


def _numbered(header: Sequence[str], name: str) -> list[int]:
    """Return the index of a column given by its number, such as `#3`."""
    number = _NUMBERED.fullmatch(name.strip())
    return [int(number[1]) - 1] if number and 0 < int(number[1]) <= len(header) else []


def _listed(header: Sequence[str], name: str) -> str:
    close = get_close_matches(plain(name), [plain(written) for written in header], n=1)
    nearest = next((written for written in header if close and plain(written) == close[0]), None)
    return f"its columns are {names(header)}" + (f"; did you mean {shown(nearest)!r}?" if nearest else "")
