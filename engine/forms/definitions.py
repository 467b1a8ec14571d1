"""Definitions of forms: texts by language, fields, and what a confirmed submission does. Reading them is strict."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import errors
from engine.audience import addresses
from engine.audience.files.cells import ATTRIBUTE_CHARS
from engine.tracking import origins
from errors import Fault, InvalidInput

LANGUAGES = ("es", "en")
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
UTM_CHARS = 100
DETAILS = {"first_name": 100, "last_name": 100, "company": 100, "role": 50, "industry": 50}  # with their characters
EMAIL, CONSENT, TRAP, STAMP, LANGUAGE = "email", "consent", "website", "stamp", "lang"
RESERVED = (EMAIL, CONSENT, TRAP, STAMP, LANGUAGE, "timezone", "locale", *UTM)
RESERVED_SLUGS = ("new",)  # of addresses of our pages
FIELDS_MAX, OPTIONS_MAX, ORIGINS_MAX, NOTIFIED_MAX = 20, 50, 20, 5
TEXT_CHARS, CONSENT_CHARS = 200, 2_000
VALID = timedelta(days=7)  # of a submission that waits for its confirmation

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of surrogate pairs
Texts = Mapping[str, str]

# Messages for JSON of another type; null stands for a value that is left out.
_TYPES: Mapping[str, tuple[Any, str]] = {
    "fields": (list | tuple, "give a list of objects"),
    "attributes": (Mapping, "give an object of attribute names and their values"),
    "origins": (list | tuple, "give a list of texts"),
    "notify": (list | tuple, "give a list of texts"),
    "double_opt_in": (bool, "give true or false"),
}


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form: a detail or an attribute of the contact. With `options` the person chooses one of them."""

    name: str
    label: Texts
    required: bool = False
    options: tuple[str, ...] = ()

    @property
    def chars_max(self) -> int:
        """The longest value in characters."""
        return DETAILS.get(self.name, ATTRIBUTE_CHARS)


@dataclass(frozen=True, slots=True)
class Definition:
    """A form. `attributes` and `campaign_id` apply to each confirmed contact; `origins` may embed and post it."""

    slug: str
    title: Texts
    fields: tuple[FormField, ...] = ()
    consent: Texts = field(default_factory=dict)
    thanks: Texts = field(default_factory=dict)
    redirect: str | None = None
    double_opt_in: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    campaign_id: UUID | None = None
    origins: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()

    def stored(self) -> dict[str, Any]:
        """Return the definition as JSON, without the slug and the addresses in `notify`."""
        values = asdict(self) | {"campaign_id": str(self.campaign_id) if self.campaign_id else None}
        return {name: value for name, value in values.items() if name not in ("slug", "notify")}


def in_language(texts: Texts, language: str) -> str:
    """Return the text in this language, else in another one; empty if there is none."""
    return texts.get(language) or next(iter(texts.values()), "")


def read(values: Mapping[str, Any], *, own_origin: str) -> Definition:
    """Return the definition that these values describe; raise InvalidInput with all faults.

    `own_origin` is where our own pages are; a redirect may lead there or to one of `origins`.
    """
    faults = _wrong_types(values)
    wrong = {fault.field.partition("[")[0] for fault in faults}
    values = {name: value for name, value in values.items() if value is not None and name not in wrong}
    names = Definition.__dataclass_fields__
    faults += [
        Fault(name[:50], f"is not a field; {errors.unknown(name, names)}") for name in values if name not in names
    ]
    slug = values.get("slug")
    if not isinstance(slug, str) or not is_slug(slug):
        faults.append(Fault("slug", "give 1 to 50 characters of a to z, 0 to 9 and -, such as guia-roi"))
    elif slug in RESERVED_SLUGS:
        faults.append(Fault("slug", f"{slug!r} is reserved or there already; choose another"))
    faults += _texts(values, "title", TEXT_CHARS, is_required=True)
    faults += _texts(values, "consent", CONSENT_CHARS) + _texts(values, "thanks", CONSENT_CHARS)
    fields = _fields(values.get("fields") or (), faults)
    faults += _attributes(values.get("attributes") or {})
    origins = _origins(values.get("origins") or (), faults)
    faults += _redirect(values.get("redirect"), {*origins, own_origin})
    notify = _notified(values.get("notify") or (), faults)
    campaign_id = _campaign_id(values.get("campaign_id"), faults)
    if faults:
        raise InvalidInput(faults)
    return Definition(
        slug=str(slug), title=values["title"], fields=fields, consent=values.get("consent") or {},
        thanks=values.get("thanks") or {}, redirect=values.get("redirect") or None,
        double_opt_in=values.get("double_opt_in", True) is True, attributes=values.get("attributes") or {},
        campaign_id=campaign_id, origins=origins, notify=notify,
    )  # fmt: skip


def restored(slug: str, stored: Mapping[str, Any], notify: Sequence[str]) -> Definition:
    """Return the definition of a stored form."""
    fields = tuple(FormField(**{**each, "options": tuple(each["options"])}) for each in stored["fields"])
    values = {**stored, "fields": fields, "origins": tuple(stored["origins"])}
    values["campaign_id"] = UUID(stored["campaign_id"]) if stored["campaign_id"] else None
    return Definition(slug=slug, notify=tuple(notify), **values)


def origin_of(address: str) -> str | None:
    """Return the origin of a web address; None if it is ambiguous or has characters that an address may not have."""
    is_plain = address.isascii() and address.isprintable() and " " not in address
    return origins.of(address) if is_plain else None


def is_slug(text: str) -> bool:
    """Return True if the text can be the slug of a form or a landing page."""
    return _SLUG.fullmatch(text) is not None


def has_control(text: str) -> bool:
    """Return True if the text has a line break or another control character."""
    return _CONTROL.search(text) is not None


def _wrong_types(values: Mapping[str, Any]) -> list[Fault]:
    faults = [
        Fault(name, advice)
        for name, (kind, advice) in _TYPES.items()
        if values.get(name) is not None and not isinstance(values[name], kind)
    ]
    fields = values.get("fields")
    for index, each in enumerate(fields if isinstance(fields, list | tuple) else ()):
        at = f"fields[{index}]"
        if not isinstance(each, Mapping):
            faults.append(Fault(at, "give a list of objects"))
            continue
        names = FormField.__dataclass_fields__
        unknown = [name for name in each if name not in names]
        faults += [
            Fault(f"{at}.{name[:50]}", errors.unknown(name, names, fault="is not a field here")) for name in unknown
        ]
        if not isinstance(each.get("required") or False, bool):
            faults.append(Fault(f"{at}.required", "give true or false"))
        if not isinstance(each.get("options") or [], list | tuple):
            faults.append(Fault(f"{at}.options", "give a list of texts"))
    return faults


def _text_fault(text: object, chars: int) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return "give a text"
    if len(text) > chars:
        return f"has {len(text)} characters; at most {chars} are taken"
    return "remove the line breaks and invisible characters" if has_control(text) else None


def _texts(values: Mapping[str, Any], name: str, chars: int, *, is_required: bool = False) -> list[Fault]:
    texts = values.get(name) or {}
    if not isinstance(texts, Mapping) or (is_required and not texts):
        return [Fault(name, 'give the text by language, such as {"es": "…", "en": "…"}')]
    strange = [
        Fault(f"{name}.{key}"[:60], errors.unknown(str(key), LANGUAGES)) for key in texts if key not in LANGUAGES
    ]
    checked = {f"{name}.{key}": _text_fault(text, chars) for key, text in texts.items() if key in LANGUAGES}
    return strange + [Fault(key, fault) for key, fault in checked.items() if fault]


def _fields(wanted: Sequence[Mapping[str, Any]], faults: list[Fault]) -> tuple[FormField, ...]:
    if len(wanted) > FIELDS_MAX:
        faults.append(Fault("fields", f"has {len(wanted)} fields; at most {FIELDS_MAX} are taken"))
        return ()
    names: set[str] = set()
    for index, each in enumerate(wanted):
        at, name, options = f"fields[{index}]", each.get("name"), each.get("options") or ()
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            faults.append(Fault(f"{at}.name", "give a to z, 0 to 9 and _, beginning with a letter, such as company"))
        elif name in RESERVED or name in names:
            faults.append(Fault(f"{at}.name", f"{name!r} is reserved or there already; choose another"))
        names.add(str(name))
        faults += [
            Fault(f"{at}.{fault.field}", fault.message) for fault in _texts(each, "label", TEXT_CHARS, is_required=True)
        ]
        if len(options) > OPTIONS_MAX or any(_text_fault(option, 100) for option in options):
            faults.append(Fault(f"{at}.options", f"give up to {OPTIONS_MAX} texts of up to 100 characters"))
    if faults:
        return ()
    return tuple(
        FormField(each["name"], each["label"], each.get("required", False) is True, tuple(each.get("options") or ()))
        for each in wanted
    )


def _attributes(wanted: Mapping[str, Any]) -> list[Fault]:
    if len(wanted) > FIELDS_MAX:
        return [Fault("attributes", f"at most {FIELDS_MAX} are taken")]
    wrong = [name for name in wanted if not _NAME.fullmatch(name) or name in RESERVED or name in DETAILS]
    values = [name for name, value in wanted.items() if name not in wrong and _text_fault(value, ATTRIBUTE_CHARS)]
    return [Fault("attributes", f"{errors.shown(name)} is no name of an attribute") for name in wrong] + [
        Fault(f"attributes.{name}", f"give a text of up to {ATTRIBUTE_CHARS} characters") for name in values
    ]


def _origins(wanted: Sequence[object], faults: list[Fault]) -> tuple[str, ...]:
    if len(wanted) > ORIGINS_MAX:
        faults.append(Fault("origins", f"at most {ORIGINS_MAX} are taken"))
        return ()
    for index, origin in enumerate(wanted):
        if not isinstance(origin, str) or origin_of(origin) != origin:
            faults.append(
                Fault(f"origins[{index}]", "give scheme and host without a path, such as https://www.tienda.example")
            )
    return tuple(str(origin) for origin in wanted)


def _redirect(target: object, allowed: set[str]) -> list[Fault]:
    if target is None or target == "":
        return []
    if not isinstance(target, str) or len(target) > 2_000 or (origin := origin_of(target)) is None:
        return [Fault("redirect", "give a web address such as https://www.tienda.example/gracias")]
    if origin not in allowed:
        return [Fault("redirect", f"leads to {origin}, which is not one of `origins`")]
    return []


def _campaign_id(wanted: object, faults: list[Fault]) -> UUID | None:
    if not wanted:
        return None
    try:
        return UUID(str(wanted))
    except ValueError:
        faults.append(Fault("campaign_id", "there is no campaign with this id"))
        return None


def _notified(wanted: Sequence[object], faults: list[Fault]) -> tuple[str, ...]:
    if len(wanted) > NOTIFIED_MAX:
        faults.append(Fault("notify", f"at most {NOTIFIED_MAX} addresses are taken"))
        return ()
    normal = []
    for index, address in enumerate(wanted):
        try:
            normal.append(addresses.normalise(str(address), field=f"notify[{index}]"))
        except InvalidInput as invalid:
            faults += invalid.faults
    return tuple(dict.fromkeys(normal))
