"""Contacts: look up by address, create, update and view."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from errors import NotFound
from models import Contact, arrays, ids, vault

FLAGS = tuple(f"email_{step}_{what}" for step in (1, 2, 3) for what in ("sent", "opened", "clicked"))

# CTEs for a statement that needs contacts which may be new. From `given (index, contact_id, address, …)` they derive
# `people (id, email_index)`. A contact that another transaction creates at the same time is missing from `people`; the
# next statement sees it. New rows are inserted in the order of their index, so two such statements cannot deadlock.
ENSURED = """
held AS MATERIALIZED (
    SELECT id, email_index FROM contacts WHERE email_index IN (SELECT index FROM given)
), made AS (
    INSERT INTO contacts (id, email, email_index, created_at, updated_at)
    SELECT DISTINCT ON (index) contact_id, address, index, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
      FROM given WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.email_index = given.index) ORDER BY index
    ON CONFLICT (email_index) DO NOTHING
    RETURNING id, email_index
), people AS (
    SELECT id, email_index FROM held UNION ALL SELECT id, email_index FROM made
)"""
_ENSURE = text(f"""
    WITH given AS MATERIALIZED (
        SELECT index, contact_id, address
          FROM unnest(CAST(:indexes AS bytea[]), CAST(:contact_ids AS uuid[]), CAST(:addresses AS text[]))
               AS v (index, contact_id, address)
    ), {ENSURED}
    SELECT email_index, id FROM people
""")  # noqa: S608  # constants only
_UPSERT = text("""
    INSERT INTO contacts AS held (id, email, email_index, first_name, last_name, industry, role, company, timezone,
                                  locale, attributes, created_at, updated_at, listed_at)
    SELECT id, email, email_index, first_name, last_name, industry, role, company, timezone, locale,
           CAST(attributes AS jsonb), :now, :now, :now
      FROM unnest(CAST(:ids AS uuid[]), CAST(:emails AS text[]), CAST(:indexes AS bytea[]),
                  CAST(:first_name AS text[]), CAST(:last_name AS text[]), CAST(:industry AS text[]),
                  CAST(:role AS text[]), CAST(:company AS text[]), CAST(:timezone AS text[]), CAST(:locale AS text[]),
                  CAST(:attributes AS text[]))
           AS fresh (id, email, email_index, first_name, last_name, industry, role, company, timezone, locale,
                     attributes)
    ON CONFLICT (email_index) DO UPDATE
       SET first_name = coalesce(excluded.first_name, held.first_name),
           last_name = coalesce(excluded.last_name, held.last_name),
           industry = coalesce(excluded.industry, held.industry),
           role = coalesce(excluded.role, held.role),
           company = coalesce(excluded.company, held.company),
           timezone = coalesce(excluded.timezone, held.timezone),
           locale = coalesce(excluded.locale, held.locale),
           attributes = held.attributes || excluded.attributes,
           updated_at = excluded.updated_at,
           listed_at = coalesce(held.listed_at, excluded.listed_at)
     WHERE held.listed_at IS NULL
        OR excluded.first_name <> coalesce(held.first_name, '') OR excluded.last_name <> coalesce(held.last_name, '')
        OR excluded.industry <> coalesce(held.industry, '') OR excluded.role <> coalesce(held.role, '')
        OR excluded.company <> coalesce(held.company, '') OR excluded.timezone <> coalesce(held.timezone, '')
        OR excluded.locale <> coalesce(held.locale, '') OR NOT held.attributes @> excluded.attributes
    RETURNING xmax = 0 AS created
""")
DETAILS = ("first_name", "last_name", "industry", "role", "company", "timezone", "locale")


@dataclass(frozen=True, slots=True)
class Draft:
    """A contact from a file or a form: a normalised address, and None for each missing detail."""

    address: str
    first_name: str | None = None
    last_name: str | None = None
    industry: str | None = None
    role: str | None = None
    company: str | None = None
    timezone: str | None = None
    locale: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upserted:
    """The numbers of contacts created, updated and unchanged."""

    created: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class View:
    """A stored contact; `flags` has the nine of `FLAGS`.

    `email` is None if it cannot be decrypted or was erased. Audiences include it if it has a `listed_at`.
    """

    id: UUID
    email: str | None
    first_name: str | None
    last_name: str | None
    industry: str | None
    role: str | None
    company: str | None
    timezone: str | None
    locale: str | None
    attributes: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    followup_status: str
    flags: Mapping[str, bool]
    converted: bool
    converted_at: datetime | None
    score: int
    paused_until: datetime | None
    listed_at: datetime | None
    erased_at: datetime | None


def ensure(session: Session, addresses: Sequence[str], *, now: datetime) -> list[UUID]:
    """Return the contacts of these normalised addresses, in their order; create missing ones.

    No audience includes the new ones (see `set_listed`). Duplicates are allowed. One statement, and another if a
    different transaction creates one of them at the same time.
    """
    suppressions.inherit(session, addresses)
    sealed = [seal(address) for address in addresses]
    known: dict[bytes, UUID] = {}
    while missing := {each.key: each for each in sealed if each.key not in known}:
        rows = session.execute(_ENSURE, {**columns(list(missing.values())), "now": now})
        known |= {bytes(index): contact_id for index, contact_id in rows}
    return [known[each.key] for each in sealed]


class SealedAddress(NamedTuple):
    """An encrypted address with its blind index, and the id of its contact if it is new; input of `ENSURED`."""

    key: bytes
    contact_id: UUID
    address: str


def seal(address: str) -> SealedAddress:
    """Return the encrypted form of a normalised address."""
    keys = vault.current()
    return SealedAddress(keys.blind_index(address), ids.new(), keys.encrypt(address))


def columns(sealed: Sequence[SealedAddress]) -> dict[str, arrays.Column]:
    """Return the parameters `indexes`, `contact_ids` and `addresses` of a statement with `ENSURED`."""
    return {
        "indexes": arrays.blobs(each.key for each in sealed),
        "contact_ids": arrays.uuids(each.contact_id for each in sealed),
        "addresses": arrays.words(each.address for each in sealed),
    }


def upsert(session: Session, drafts: Sequence[Draft], *, now: datetime) -> Upserted:
    """Create these contacts, or update known ones, and list them; details that a draft lacks stay as they are.

    One statement that locks in the order of the index. No address may occur twice. Safe to repeat.
    """
    suppressions.inherit(session, (draft.address for draft in drafts))
    keyed = sorted(((vault.current().blind_index(draft.address), draft) for draft in drafts), key=itemgetter(0))
    ordered = [draft for _, draft in keyed]
    rows = session.execute(
        _UPSERT,
        {
            "ids": [ids.new() for _ in keyed],
            "emails": [vault.current().encrypt(draft.address) for draft in ordered],
            "indexes": [index for index, _ in keyed],
            **{name: [getattr(draft, name) for draft in ordered] for name in DETAILS},
            "attributes": [json.dumps(dict(draft.attributes)) for draft in ordered],
            "now": now,
        },
    )
    created = [is_new for (is_new,) in rows]  # an updated row has this transaction as its xmax
    return Upserted(sum(created), len(created) - sum(created), len(drafts) - len(created))


_EDIT = text(f"""
    UPDATE contacts SET {", ".join(f"{name} = nullif(:{name}, '')" for name in DETAILS)},
           attributes = (attributes - CAST(:cleared AS text[])) || CAST(:attributes AS jsonb), updated_at = :now
     WHERE id = :contact_id AND erased_at IS NULL
""")  # noqa: S608  # names of columns


def edit(
    session: Session, contact_id: UUID, details: Mapping[str, str], attributes: Mapping[str, str], *, now: datetime
) -> None:
    """Replace the details of a contact, first name to locale, and set these attributes; an empty value clears its own.

    Attributes that are not named stay, and so does the address: another address is another person. Raises NotFound,
    also if the contact was erased.
    """
    values = {
        **{name: details[name] for name in DETAILS},
        "cleared": [name for name, value in attributes.items() if not value],
        "attributes": json.dumps({name: value for name, value in attributes.items() if value}),
    }
    edited = session.execute(_EDIT, {**values, "contact_id": contact_id, "now": now})
    if not edited.rowcount:  # type: ignore[attr-defined]
        raise NotFound("contact: there is none with this id")


_SET_LISTED = text("""
    UPDATE contacts SET listed_at = CASE WHEN :is_listed THEN coalesce(listed_at, :now) END
     WHERE id = ANY(CAST(:ids AS uuid[])) AND erased_at IS NULL AND (listed_at IS NOT NULL) <> :is_listed
""")


def set_listed(session: Session, contact_ids: Sequence[UUID], is_listed: bool, *, now: datetime) -> None:
    """Let audiences include these contacts, or include them no more. Safe to repeat; enrollments stay."""
    session.execute(_SET_LISTED, {"ids": arrays.uuids(contact_ids), "is_listed": is_listed, "now": now})


def find(session: Session, address: str) -> UUID | None:
    """Return the contact of a normalised address, or None."""
    return find_index(session, vault.current().blind_index(address))


def find_index(session: Session, index: bytes) -> UUID | None:
    """Return the contact whose address has this blind index, or None."""
    return session.scalar(select(Contact.id).where(Contact.email_index == index))


def find_all(session: Session, addresses: Iterable[str]) -> dict[str, UUID]:
    """Return the contacts of those of these normalised addresses that have one."""
    by_index = {vault.current().blind_index(address): address for address in addresses}
    if not by_index:
        return {}
    rows = session.execute(select(Contact.email_index, Contact.id).where(Contact.email_index.in_(by_index)))
    return {by_index[index]: contact_id for index, contact_id in rows}


def view(session: Session, contact_id: UUID) -> View:
    """Return one contact with its address decrypted; raises NotFound, also for a recipient (see `recipients`)."""
    row = session.get(Contact, contact_id)
    if row is None or row.is_recipient:
        raise NotFound("contact: there is none with this id")
    same = ("id", *DETAILS, "attributes", "created_at", "updated_at", "converted", "converted_at", "score",
            "paused_until", "listed_at", "erased_at")  # fmt: skip
    return View(
        **{name: getattr(row, name) for name in same},
        email=row.email or None,
        followup_status=row.email_followup_status,
        flags={name: getattr(row, name) for name in FLAGS},
    )


def addresses(session: Session, contact_ids: Sequence[UUID]) -> dict[UUID, str | None]:
    """Return the addresses of these contacts, decrypted; None for one that cannot be decrypted or was erased."""
    rows = session.execute(select(Contact.id, Contact.email).where(Contact.id.in_(contact_ids)))
    return {row.id: row.email or None for row in rows}


def index_of(session: Session, contact_id: UUID) -> bytes:
    """Return the blind index of a contact's address; raises NotFound."""
    index = session.scalar(select(Contact.email_index).where(Contact.id == contact_id))
    if index is None:
        raise NotFound("contact: there is none with this id")
    return index


_NOTE_RELEASE = text("UPDATE contacts SET released_at = greatest(released_at, :now) WHERE id = :contact_id")
_ERASE = text("""
    UPDATE contacts
       SET email = :nobody, email_index = :index, first_name = NULL, last_name = NULL, industry = NULL, role = NULL,
           company = NULL, timezone = NULL, locale = NULL, attributes = '{}', listed_at = NULL, paused_until = NULL,
           erased_at = :now, updated_at = :now
     WHERE id = :contact_id
""")


def note_release(session: Session, contact_id: UUID, *, now: datetime) -> None:
    """Note that a person released the contact's suppression: earlier causes of it count no more."""
    session.execute(_NOTE_RELEASE, {"contact_id": contact_id, "now": now})


def erase(session: Session, contact_id: UUID, index: bytes, *, now: datetime) -> None:
    """Erase the address and all details of a contact; its row stays, under another index. See `engagement.by_hand`."""
    values = {"contact_id": contact_id, "index": index, "nobody": vault.current().encrypt(""), "now": now}
    session.execute(_ERASE, values)
