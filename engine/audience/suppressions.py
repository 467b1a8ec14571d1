"""Suppressions: addresses that get no more e-mail, with the reason."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from models import Suppression, arrays, vault
from models.suppression import REASONS

# From weak to strong. The strongest of several reasons stays, so a resubscription does not revive a dead address.
STRENGTH = ("unsubscribed", "manual", "hard_bounce", "complaint")

_ADD = text("""
    INSERT INTO suppressions AS held (email_index, reason, since, email_id)
    SELECT email_index, :reason, :now, :email_id FROM contacts WHERE id = ANY(:contact_ids) ORDER BY email_index
    ON CONFLICT (email_index) DO UPDATE
       SET reason = excluded.reason, email_id = excluded.email_id, since = least(held.since, excluded.since)
     WHERE array_position(CAST(:strength AS text[]), CAST(excluded.reason AS text))
         > array_position(CAST(:strength AS text[]), CAST(held.reason AS text))
""")
_SUPPRESSED = text("""
    SELECT contacts.id, suppressions.reason FROM contacts JOIN suppressions USING (email_index)
     WHERE contacts.id = ANY(:contact_ids)
""")
_LIFT = text("""
    DELETE FROM suppressions USING contacts
     WHERE contacts.id = :contact_id AND suppressions.email_index = contacts.email_index
       AND suppressions.reason = ANY(:reasons)
""")

_INHERIT = text("""
    INSERT INTO suppressions (email_index, reason, since, email_id)
    SELECT renamed.index, suppressions.reason, suppressions.since, suppressions.email_id
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
    session.execute(_ADD, {**values, "strength": list(STRENGTH)})


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
    lifted = session.execute(_LIFT, {"contact_id": contact_id, "reasons": list(reasons)})
    return bool(lifted.rowcount)  # type: ignore[attr-defined]
