"""Submissions: check what a person typed, store it, and ask for the confirmation by e-mail.

Many are stored by as few statements as one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import errors
from engine.audience import addresses, recipients
from engine.audience.recipients import Recipient
from engine.delivery import outbox
from engine.delivery.outbox import SendRequest
from engine.forms import correspondence, definitions
from engine.forms.correspondence import PendingSubmission
from engine.forms.definitions import CONSENT, EMAIL, UTM, UTM_CHARS, VALID, Definition, FormField
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from errors import Fault, InvalidInput, Unavailable
from models import arrays, ids, vault

PAGE_CHARS = 500
FAULTS_MAX = 50
_AGREED = (True, "1", "on", "yes", "true")

LOCK_MAX_MS = 2_000  # how long a group waits for an address that another transaction holds

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_WAIT_AT_MOST = text(f"SET LOCAL lock_timeout = {LOCK_MAX_MS}")
_LOCK_TIMEOUT = "55P03"
_PENDING = text("""
SELECT id FROM form_submissions WHERE email_index = :index AND form_id = :form_id AND state = 'pending'
 ORDER BY submitted_at DESC LIMIT 1 FOR UPDATE
""")
# By submission: the pending one that it replaces, and the requests to confirm that its address got lately.
_SITUATIONS = text("""
SELECT replaced.id AS replaced_id, lately.number, lately.latest
  FROM unnest(CAST(:indexes AS bytea[]), CAST(:form_ids AS uuid[]), CAST(:recipient_ids AS uuid[])) WITH ORDINALITY
       AS given (index, form_id, recipient_id, place)
  LEFT JOIN LATERAL (
       SELECT id FROM form_submissions s
        WHERE s.email_index = given.index AND s.form_id = given.form_id AND s.state = 'pending'
        ORDER BY submitted_at DESC LIMIT 1 FOR UPDATE) AS replaced ON true
  LEFT JOIN LATERAL (
       SELECT count(*) AS number, max(accepted_at) AS latest FROM emails
        WHERE contact_id = given.recipient_id AND template = ANY(:templates) AND accepted_at > :since) AS lately ON true
 ORDER BY place
""")
_STORE = text("""
INSERT INTO form_submissions AS held (id, form_id, email_index, address, fields, language, consent_text_id, page,
                                      network, landing_page_id, source, email_id, submitted_at)
SELECT *, CAST(:now AS timestamptz)
  FROM unnest(CAST(:ids AS uuid[]), CAST(:form_ids AS uuid[]), CAST(:indexes AS bytea[]), CAST(:addresses AS text[]),
              CAST(:fields AS text[]), CAST(:languages AS text[]), CAST(:consent_text_ids AS uuid[]),
              CAST(:pages AS text[]), CAST(:networks AS text[]), CAST(:landing_page_ids AS uuid[]),
              CAST(:sources AS text[]), CAST(:email_ids AS uuid[])) AS v
ON CONFLICT (id) DO UPDATE
   SET fields = excluded.fields, language = excluded.language, consent_text_id = excluded.consent_text_id,
       page = excluded.page, network = excluded.network, landing_page_id = excluded.landing_page_id,
       source = excluded.source, email_id = coalesce(excluded.email_id, held.email_id),
       submitted_at = excluded.submitted_at, reminded_at = NULL
""")


@dataclass(frozen=True, slots=True)
class Entry:
    """A checked submission: a normalised address, the values of fields that are filled in, and the request's origin."""

    address: str
    values: Mapping[str, str]
    language: str
    page: str = ""
    network: str = ""
    landing: tuple[UUID, str] | None = None  # the landing page with the form, and the source that led there


@dataclass(frozen=True, slots=True)
class SignUp:
    """A checked submission that can be stored: its id, the recipient of its address, and its sealed values.

    `request` asks to confirm it; None for a form without double opt-in. `email_id` is that of the queued e-mail.
    """

    id: UUID
    form: StoredForm
    entry: Entry
    recipient: Recipient
    fields: str
    request: SendRequest | None = None
    email_id: UUID | None = None

    @property
    def key(self) -> tuple[bytes, UUID]:
        """The address and the form, of which one submission at most is pending."""
        return self.recipient.own, self.form.id


class AddressHeld(Unavailable):
    """Another transaction holds an address of these sign-ups for too long."""


class _Situation(NamedTuple):
    """The ledger's state of an address: the pending submission of this form, and the latest requests to confirm."""

    replaced_id: UUID | None
    number: int
    latest: datetime | None


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


def prepare(form: StoredForm, entry: Entry, *, services: FormServices, now: datetime) -> SignUp:
    """Return the sign-up of a checked submission. Raises NoTemplate if its e-mail cannot be made."""
    fields = vault.current().encrypt(json.dumps(dict(entry.values), ensure_ascii=False))
    sign_up = SignUp(ids.at(now), form, entry, recipients.seal(entry.address), fields)
    if not form.definition.double_opt_in:
        return sign_up
    return replace(sign_up, request=_confirmation_request(sign_up, sign_up.id, services, now))


def store(session: Session, form: StoredForm, entry: Entry, *, services: FormServices, now: datetime) -> UUID:
    """Store one submission and return its id. With double opt-in ask for its confirmation as `store_all` does.

    Without it confirm the submission in the same transaction: see `confirming.confirm`.
    """
    sign_up = prepare(form, entry, services=services, now=now)
    if sign_up.request is not None:
        return store_all(session, [sign_up], services=services, now=now)[0]
    session.execute(_LOCK, {"key": int.from_bytes(sign_up.recipient.own[:8], "big", signed=True)})
    pending = session.scalar(_PENDING, {"index": sign_up.recipient.own, "form_id": form.id})
    stored = replace(sign_up, id=pending) if pending else sign_up
    session.execute(_STORE, {**_columns([stored]), "now": now})
    return stored.id


def store_all(session: Session, sign_ups: Sequence[SignUp], *, services: FormServices, now: datetime) -> list[UUID]:
    """Store submissions to forms with double opt-in and ask for their confirmations; return the ids of the rows.

    Every address is treated alike, whether it is a contact's, suppressed or unknown. It gets one e-mail in ten minutes
    and three a day at most, from all forms together: its recipient stays locked until the commit, so those of other
    transactions are seen. A repeated submission replaces the pending one; of several here the last one counts. Five
    statements for any number. Commit, then ring `transactional`. Raises AddressHeld.
    """
    latest = list({each.key: each for each in sign_ups}.values())
    session.execute(_WAIT_AT_MOST)
    try:
        recipient_ids = recipients.ensure(session, [each.recipient for each in latest], now=now)
        situations = _situations(session, latest, recipient_ids, now)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT:
            raise AddressHeld("form: another transaction holds an address", public="form: try again") from None
        raise
    stored: list[SignUp] = []
    requests: dict[UUID, SendRequest] = {}
    with_request: set[UUID] = set()
    for sign_up, recipient_id, (replaced_id, number, newest) in zip(latest, recipient_ids, situations, strict=True):
        row = _instead_of(replaced_id, sign_up, services, now) if replaced_id else sign_up
        if row.request and recipient_id not in with_request and correspondence.may_ask(number, newest, now=now):
            with_request.add(recipient_id)
            requests[email_id := ids.new()] = row.request
            row = replace(row, email_id=email_id)
        stored.append(row)
    session.execute(_STORE, {**_columns(stored), "now": now})
    outbox.add_under(session, requests, now=now)
    return [each.id for each in stored]


def _confirmation_request(sign_up: SignUp, as_id: UUID, services: FormServices, now: datetime) -> SendRequest:
    """Return the e-mail that asks to confirm a sign-up under this id."""
    entry = sign_up.entry
    pending = PendingSubmission(as_id, sign_up.form, entry.address, sign_up.recipient, entry.language, now + VALID)
    return correspondence.confirmation_request(pending, services)


def _instead_of(replaced_id: UUID, sign_up: SignUp, services: FormServices, now: datetime) -> SignUp:
    """Return the sign-up under the id of the pending submission that it replaces."""
    return replace(sign_up, id=replaced_id, request=_confirmation_request(sign_up, replaced_id, services, now))


def _situations(
    session: Session, sign_ups: Sequence[SignUp], recipient_ids: Sequence[UUID], now: datetime
) -> list[_Situation]:
    """Return the situations of sign-ups, in their order; locks the pending submissions."""
    values: Mapping[str, Any] = {
        "indexes": arrays.blobs(each.recipient.own for each in sign_ups),
        "form_ids": arrays.uuids(each.form.id for each in sign_ups),
        "recipient_ids": arrays.uuids(recipient_ids),
        "templates": list(correspondence.CONFIRMATION_TEMPLATES),
        "since": now - correspondence.DAY,
    }
    return [_Situation(*row) for row in session.execute(_SITUATIONS, values)]


def _columns(sign_ups: Sequence[SignUp]) -> dict[str, arrays.Column]:
    """Return the columns of sign-ups."""
    entries = [each.entry for each in sign_ups]
    landings = [each.landing or (None, None) for each in entries]
    return {
        "ids": arrays.uuids(each.id for each in sign_ups),
        "form_ids": arrays.uuids(each.form.id for each in sign_ups),
        "indexes": arrays.blobs(each.recipient.own for each in sign_ups),
        "addresses": arrays.words(each.recipient.sealed.address for each in sign_ups),
        "fields": arrays.words(each.fields for each in sign_ups),
        "languages": arrays.words(each.language for each in entries),
        "consent_text_ids": arrays.uuids(each.form.consent_text_id for each in sign_ups),
        "pages": arrays.words(each.page[:PAGE_CHARS] or None for each in entries),
        "networks": arrays.words(each.network or None for each in entries),
        "landing_page_ids": arrays.uuids(page_id for page_id, _ in landings),
        "sources": arrays.words(source for _, source in landings),
        "email_ids": arrays.uuids(each.email_id for each in sign_ups),
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
