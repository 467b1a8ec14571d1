"""Suppressions: addresses that get no more e-mail, with the reason."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from models import Contact, Suppression, arrays, vault
from models.suppression import REASONS

# From weak to strong. The strongest of several reasons stays, so a resubscription does not revive a dead address.
STRENGTH = ("unsubscribed", "manual", "hard_bounce", "complaint", "erased")

_ADD = """
    INSERT INTO suppressions AS held (email_index, reason, since, email_id, is_unsubscribed)
    SELECT email_index, CAST(:reason AS text), :now, :email_id, :reason = 'unsubscribed' FROM ({indexes}) AS added
     ORDER BY email_index
    ON CONFLICT (email_index) DO UPDATE
       SET (reason, email_id) = (
               SELECT stronger.reason, stronger.email_id
                 FROM (VALUES (held.reason, held.email_id), (excluded.reason, excluded.email_id))
                      AS stronger (reason, email_id)
                ORDER BY array_position(CAST(:strength AS text[]), CAST(stronger.reason AS text)) DESC LIMIT 1),
           since = least(held.since, excluded.since),
           is_unsubscribed = held.is_unsubscribed OR excluded.is_unsubscribed
     WHERE array_position(CAST(:strength AS text[]), CAST(excluded.reason AS text))
         > array_position(CAST(:strength AS text[]), CAST(held.reason AS text))
        OR excluded.is_unsubscribed > held.is_unsubscribed
"""
_ADD_CONTACTS = text(_ADD.format(indexes="SELECT email_index FROM contacts WHERE id = ANY(:contact_ids)"))
_ADD_INDEXES = text(_ADD.format(indexes="SELECT unnest(CAST(:indexes AS bytea[])) AS email_index"))
_SUPPRESSED = text("""
    SELECT contacts.id, suppressions.reason FROM contacts JOIN suppressions USING (email_index)
     WHERE contacts.id = ANY(:contact_ids)
""")
# The person's own unsubscription remains under a stronger reason that is lifted, and stands behind one that is not.
_LIFT = text("""
    DELETE FROM suppressions WHERE email_index = :index AND reason = ANY(:reasons)
       AND (NOT is_unsubscribed OR 'unsubscribed' = ANY(:reasons))
""")
_LIFT_STRONGER = text("""
    UPDATE suppressions SET reason = 'unsubscribed', email_id = NULL
     WHERE email_index = :index AND reason = ANY(:reasons) AND is_unsubscribed
""")
_RESUBSCRIBE = text("UPDATE suppressions SET is_unsubscribed = false WHERE email_index = :index AND is_unsubscribed")

_INHERIT = text("""
    INSERT INTO suppressions (email_index, reason, since, email_id, is_unsubscribed)
    SELECT renamed.index, suppressions.reason, suppressions.since, suppressions.email_id, is_unsubscribed
      FROM unnest(CAST(:indexes AS bytea[]), CAST(:formers AS bytea[])) AS renamed (index, former)
      JOIN suppressions ON suppressions.email_index = renamed.former AND suppressions.is_former
     WHERE NOT EXISTS (SELECT 1 FROM contacts WHERE contacts.email_index = renamed.index)
     ORDER BY renamed.index
    ON CONFLICT (email_index) DO NOTHING
""")


def add(
    session: Session, contact_ids: Sequence[UUID], reason: str, *, now: datetime, email_id: UUID | None = None
) -> None:
    """Suppress these contacts' addresses: `unsubscribed`, `manual`, `hard_bounce` or `complaint`.

    The strongest reason stays; safe to repeat and in any order. `email_id` is the e-mail that caused it. To stop
    enrollments and queued e-mails, call `stops.stop`.
    """
    if reason not in REASONS:
        raise ValueError(f"reason: {reason!r} is not one of {', '.join(REASONS)}")
    values = {"contact_ids": list(contact_ids), "reason": reason, "now": now, "email_id": email_id}
    session.execute(_ADD_CONTACTS, {**values, "strength": list(STRENGTH)})


def add_addresses(session: Session, addresses: Iterable[str], reason: str, *, now: datetime) -> None:
    """Suppress these normalised addresses as `add` does; they need not be contacts."""
    add_indexes(session, {vault.current().blind_index(address) for address in addresses}, reason, now=now)


def add_indexes(session: Session, indexes: Collection[bytes], reason: str, *, now: datetime) -> None:
    """Suppress the addresses of these blind indexes, which need not be contacts'; the strongest reason stays."""
    if indexes:
        values = {"indexes": arrays.blobs(indexes), "reason": reason, "now": now, "email_id": None}
        session.execute(_ADD_INDEXES, {**values, "strength": list(STRENGTH)})


def suppressed(session: Session, contact_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the reasons of those of these contacts that are suppressed."""
    rows = session.execute(_SUPPRESSED, {"contact_ids": list(contact_ids)})
    return {contact_id: reason for contact_id, reason in rows}  # noqa: C416  # rows are not pairs to mypy


def among(session: Session, addresses: Iterable[str]) -> int:
    """Return how many of these normalised addresses are suppressed; they need not be contacts."""
    indexes = [vault.current().blind_index(address) for address in addresses]
    query = select(func.count()).where(Suppression.email_index == func.any(indexes))
    return session.scalar(query) or 0


def inherit(session: Session, addresses: Iterable[str]) -> None:
    """Suppress those of these addresses that are no contacts yet and were suppressed under their former index.

    Call before creating contacts. Costs a statement only if there is an address whose index has changed.
    """
    keys = vault.current()
    renamed = {keys.blind_index(address): former for address in addresses if (former := keys.former_index(address))}
    if renamed:
        session.execute(_INHERIT, {"indexes": arrays.blobs(renamed), "formers": arrays.blobs(renamed.values())})


def lift(session: Session, contact_id: UUID, *, reasons: Sequence[str] = ("unsubscribed",)) -> bool:
    """Delete the contact's suppression if it has one of these reasons; return True if there was one.

    By default only the contact's own request, so a dead address or a complaint stays. Stopped enrollments stay stopped.
    """
    index = session.scalar(select(Contact.email_index).where(Contact.id == contact_id))
    return index is not None and lift_index(session, index, reasons=reasons)


def lift_index(session: Session, index: bytes, *, reasons: Sequence[str]) -> bool:
    """Delete the suppression of this blind index if it has one of these reasons; return True if there was one.

    An unsubscription that a stronger reason hid becomes the reason again, unless it is one of `reasons`.
    """
    values = {"index": index, "reasons": list(reasons)}
    lifted = session.execute(_LIFT, values).rowcount  # type: ignore[attr-defined]
    if "unsubscribed" in reasons:
        session.execute(_RESUBSCRIBE, values)
    else:
        session.execute(_LIFT_STRONGER, values)
    return bool(lifted)


class Suppressed(NamedTuple):
    """The suppression of an address: its reason, since when, and True if the person unsubscribed as well."""

    reason: str
    since: datetime
    is_unsubscribed: bool


def of_index(session: Session, index: bytes) -> Suppressed | None:
    """Return the suppression of this blind index, or None."""
    columns = (Suppression.reason, Suppression.since, Suppression.is_unsubscribed)
    row = session.execute(select(*columns).where(Suppression.email_index == index)).first()
    return None if row is None else Suppressed(*row)
