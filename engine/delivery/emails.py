"""The rows of e-mails outside a sender's transaction: events recorded on them, queued ones cancelled or moved."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts
from models import arrays

# Events with a moment of their own on the e-mail: `opened_at` and so on.
KINDS = ("opened", "clicked", "converted", "replied", "unsubscribed", "bounced", "complained",
         "machine_opened", "machine_clicked")  # fmt: skip
_MOMENTS = [f"{kind}_at" for kind in KINDS]

# The due time of a paused campaign's e-mails, so that no claim has to read past them.
PARKED = datetime(9000, 1, 1, tzinfo=UTC)

# Lock order: e-mails, then contacts, each by id. A settlement locks in the same order.
_LOCK = text(f"""
SELECT id, contact_id, campaign_id, step, variant, status, sent_at, accepted_at, {", ".join(_MOMENTS)}
FROM emails WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")  # noqa: S608  # built from the names above alone
_LOCK_FREE = text(f"""
SELECT e.id, e.contact_id, e.campaign_id, e.step, e.variant, e.status, e.sent_at, e.accepted_at,
       {", ".join(f"e.{moment}" for moment in _MOMENTS)}
FROM emails e JOIN contacts c ON c.id = e.contact_id
WHERE e.id = ANY(CAST(:ids AS uuid[])) ORDER BY e.id FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608  # built from the names above alone
_RECORD = text(f"""
UPDATE emails SET status = new.status, {", ".join(f"{moment} = new.{moment}" for moment in _MOMENTS)}
FROM unnest(CAST(:id AS uuid[]), CAST(:status AS text[]),
            {", ".join(f"CAST(:{moment} AS timestamptz[])" for moment in _MOMENTS)})
     AS new (id, status, {", ".join(_MOMENTS)})
WHERE emails.id = new.id
""")  # noqa: S608  # built from the names above alone

# Skip e-mails that a sender has locked: waiting for them could deadlock with the sender's group. If such an e-mail is
# queued again, the next claim cancels it (`claim.claim`).
_CANCEL = text("""
WITH queued AS MATERIALIZED (
    SELECT id FROM emails
     WHERE contact_id = ANY(:contact_ids) AND status = 'queued' AND kind = 'marketing'
     ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE emails SET status = 'cancelled', reason = :reason FROM queued WHERE emails.id = queued.id
""")
_PARK = text("""
UPDATE emails SET due_at = :parked
 WHERE id IN (SELECT id FROM emails WHERE campaign_id = :campaign_id AND lane = 'campaign' AND status = 'queued'
                 FOR UPDATE SKIP LOCKED)
""")
_UNPARK = text("""
UPDATE emails SET due_at = :now
 WHERE campaign_id = :campaign_id AND lane = 'campaign' AND status = 'queued' AND due_at = :parked
""")
_END_PAUSE = text("""
UPDATE emails SET due_at = :now, reason = NULL
 WHERE contact_id = :contact_id AND status = 'queued' AND reason = 'paused' AND due_at = :paused_until
""")


class Email(NamedTuple):
    """A locked e-mail; `moments` has the earliest event of each kind."""

    id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    step: int | None
    variant: str | None
    status: str
    sent_at: datetime | None
    accepted_at: datetime
    moments: Mapping[str, datetime]


def lock(session: Session, email_ids: Iterable[UUID]) -> list[Email]:
    """Lock these e-mails and their contacts until the transaction ends; return the e-mails."""
    locked = [_email(row) for row in session.execute(_LOCK, {"ids": arrays.uuids(email_ids)}).all()]
    contacts.lock(session, {email.contact_id for email in locked})
    return locked


def lock_free(session: Session, email_ids: Iterable[UUID]) -> list[Email]:
    """Lock those of these e-mails that are not locked by others, with their contacts; return them.

    Never waits, so a caller may hold other locks in any order.
    """
    return [_email(row) for row in session.execute(_LOCK_FREE, {"ids": arrays.uuids(email_ids)})]


def record_events(session: Session, emails: Sequence[Email]) -> None:
    """Write the status and the moments of locked e-mails. One statement."""
    if not emails:
        return
    moments = {f"{kind}_at": arrays.moments(email.moments.get(kind) for email in emails) for kind in KINDS}
    fixed = {"id": arrays.uuids(email.id for email in emails), "status": arrays.words(email.status for email in emails)}
    session.execute(_RECORD, fixed | moments)


def cancel_queued(session: Session, contact_ids: Sequence[UUID], reason: str) -> None:
    """Cancel the queued marketing e-mails of these contacts, except those that a sender has locked."""
    session.execute(_CANCEL, {"contact_ids": list(contact_ids), "reason": reason})


def park(session: Session, campaign_id: UUID) -> None:
    """Move the campaign's queued e-mails to `PARKED`; those that a sender has locked still go out."""
    session.execute(_PARK, {"campaign_id": campaign_id, "parked": PARKED})


def unpark(session: Session, campaign_id: UUID, *, now: datetime) -> None:
    """Make the campaign's parked e-mails due now."""
    session.execute(_UNPARK, {"campaign_id": campaign_id, "now": now, "parked": PARKED})


def end_pause(session: Session, contact_id: UUID, paused_until: datetime, *, now: datetime) -> None:
    """Make e-mails due now that waited for the end of the contact's pause."""
    session.execute(_END_PAUSE, {"contact_id": contact_id, "paused_until": paused_until, "now": now})


def _email(row: Sequence[Any]) -> Email:
    email_id, contact_id, campaign_id, step, variant, status, sent_at, accepted_at, *moments = row
    known = {kind: moment for kind, moment in zip(KINDS, moments, strict=True) if moment is not None}
    return Email(email_id, contact_id, campaign_id, step, variant, status, sent_at, accepted_at, known)
