"""Submissions: check what a person typed, store it, and ask for the confirmation by e-mail."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import errors
from engine.audience import addresses
from engine.forms import confirming, correspondence, definitions
from engine.forms.confirming import Visit
from engine.forms.correspondence import Waiting
from engine.forms.definitions import CONSENT, EMAIL, UTM, UTM_CHARS, VALID, Definition, FormField
from engine.forms.forms import StoredForm
from engine.forms.office import Office
from errors import Fault, InvalidInput
from models import ids, vault

PAGE_CHARS = 500
FAULTS_MAX = 50
_AGREED = (True, "1", "on", "yes", "true")


@dataclass(frozen=True, slots=True)
class Entry:
    """A checked submission: a normalised address, the values of fields that are filled in, and where it came from."""

    address: str
    values: Mapping[str, str]
    language: str
    page: str = ""
    network: str = ""
    landing: tuple[UUID, str] | None = None  # the landing page with the form, and the source that led there


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_PENDING = text("""
SELECT id FROM form_submissions WHERE email_index = :index AND form_id = :form_id AND state = 'pending'
 ORDER BY submitted_at DESC LIMIT 1 FOR UPDATE
""")
_STORE = text("""
INSERT INTO form_submissions (id, form_id, email_index, address, fields, language, consent_text_id, page, network,
                              landing_page_id, source, submitted_at)
VALUES (:id, :form_id, :index, :address, :fields, :language, :consent_text_id, :page, :network,
        :landing_page_id, :source, :now)
ON CONFLICT (id) DO UPDATE
   SET fields = excluded.fields, language = excluded.language, consent_text_id = excluded.consent_text_id,
       page = excluded.page, network = excluded.network, landing_page_id = excluded.landing_page_id,
       source = excluded.source, submitted_at = excluded.submitted_at, reminded_at = NULL
""")


class RefusedValues(InvalidInput):
    """Some values of a submission are wrong; `codes` has a word for each field, which pages translate."""

    def __init__(self, faults: Sequence[tuple[str, str, str]]) -> None:
        super().__init__([Fault(field, message) for field, _, message in faults[:FAULTS_MAX]])
        self.codes = {field: code for field, code, _ in faults[:FAULTS_MAX]}


_Faulty: TypeAlias = tuple[str, str, str]  # field, code and message


def check(definition: Definition, values: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    """Return the normalised address and the filled-in fields; raise RefusedValues with all faults."""
    fields = {field.name: field for field in definition.fields}
    allowed = (*fields, *UTM, EMAIL, CONSENT)
    faults = [(_shown(name), "unknown", _unknown(name, fields)) for name in values if name not in allowed]
    address = ""
    try:
        address = addresses.normalise(str(values.get(EMAIL) or "").strip(), field=EMAIL)
    except InvalidInput as invalid:
        faults.append((EMAIL, "address", invalid.faults[0].message))
    cleaned = {name: _cleaned(values.get(name)) for name in (*fields, *UTM)}
    wrong = {name: _fault(fields.get(name), value) for name, value in cleaned.items()}
    faults += [(name, *fault) for name, fault in wrong.items() if fault]
    if definition.consent and values.get(CONSENT) not in _AGREED:
        faults.append((CONSENT, "consent", "is needed: agree to the text to go on"))
    if faults:
        raise RefusedValues(faults)
    return address, {name: value for name, value in cleaned.items() if value}


def store(session: Session, form: StoredForm, entry: Entry, *, office: Office, now: datetime) -> None:
    """Store a submission. With double opt-in ask for its confirmation by e-mail, else confirm it at once.

    Every address is treated alike, whether it is a contact's, suppressed or unknown. It gets one e-mail in ten minutes
    and three a day at most, from all forms together. A repeated submission replaces the pending one. Commit, then ring
    `transactional` and `sequence`.
    """
    index = vault.current().blind_index(entry.address)
    session.execute(_LOCK, {"key": int.from_bytes(index[:8], "big", signed=True)})
    pending = session.scalar(_PENDING, {"index": index, "form_id": form.id})
    submission_id: UUID = pending or ids.at(now)
    session.execute(_STORE, {**_row(form, entry), "id": submission_id, "index": index, "now": now})
    if form.definition.double_opt_in:
        waiting = Waiting(submission_id, form, entry.address, entry.language, now + VALID)
        correspondence.ask(session, waiting, office=office, now=now)
    else:
        confirming.confirm(session, submission_id, Visit("form", entry.network), office=office, now=now)


def _row(form: StoredForm, entry: Entry) -> dict[str, Any]:
    keys = vault.current()
    landing_page_id, source = entry.landing or (None, None)
    return {
        "landing_page_id": landing_page_id,
        "source": source,
        "form_id": form.id,
        "address": keys.encrypt(entry.address),
        "fields": keys.encrypt(json.dumps(dict(entry.values), ensure_ascii=False)),
        "language": entry.language,
        "consent_text_id": form.consent_text_id,
        "page": entry.page[:PAGE_CHARS] or None,
        "network": entry.network or None,
    }


def _cleaned(value: object) -> str:
    return "" if value is None else str(value).strip(" ")


def _fault(field: FormField | None, value: str) -> tuple[str, str] | None:
    """Return code and message of the fault of a value; `field` is None for an UTM parameter."""
    if field is not None and field.required and not value:
        return "needed", "is needed"
    chars = field.chars_max if field else UTM_CHARS
    if len(value) > chars:
        return "long", f"has {len(value)} characters; at most {chars} are taken"
    if definitions.has_control(value):
        return "control", "has a line break or an invisible character; remove it"
    if field is not None and value and field.options and value not in field.options:
        return "option", errors.unknown(value, field.options, fault="is none of the options")
    return None


def _shown(name: str) -> str:
    return "field" if "@" in name or not name.isprintable() else name[:50]


def _unknown(name: str, fields: Mapping[str, FormField]) -> str:
    return errors.unknown(name, [EMAIL, *fields], fault="is not a field of this form")
