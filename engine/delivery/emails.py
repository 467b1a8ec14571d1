"""The rows of e-mails outside a sender's transaction: events recorded on them, queued ones cancelled or moved."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contact_flags
from models import arrays

# Events with a moment of their own on the e-mail: `opened_at` and so on.
KINDS = ("opened", "clicked", "converted", "replied", "unsubscribed", "bounced", "complained",
         "machine_opened", "machine_clicked")  # fmt: skip
_MOMENTS = [f"{kind}_at" for kind in KINDS]

# The due time of a paused campaign's e-mails, once a claim has met them, so that no other claim reads past them.
PARKED = datetime(9000, 1, 1, tzinfo=UTC)

# Lock order: e-mails, then contacts, each by id. A settlement locks in the same order.
_LOCK = text(f"""
SELECT id, contact_id, campaign_id, step, variant, kind, status, sent_at, accepted_at, {", ".join(_MOMENTS)}
FROM emails WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")  # noqa: S608  # built from the names above alone
_LOCK_FREE = text(f"""
SELECT e.id, e.contact_id, e.campaign_id, e.step, e.variant, e.kind, e.status, e.sent_at, e.accepted_at,
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
_CANCEL_THESE = text("""
UPDATE emails SET status = 'cancelled', reason = :reason WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'queued'
""")
_CANCEL_FREE = text("""
WITH queued AS MATERIALIZED (
    SELECT id FROM emails WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE emails SET status = 'cancelled', reason = :reason FROM queued WHERE emails.id = queued.id
""")
_PUT_OFF = text("""
UPDATE emails SET due_at = v.due_at, reason = v.reason
  FROM unnest(CAST(:ids AS uuid[]), CAST(:due AS timestamptz[]), CAST(:reasons AS text[])) AS v (id, due_at, reason)
 WHERE emails.id = v.id AND status = 'queued'
""")
# The shared lock lets a resumption wait for this transaction, so it finds all e-mails that were parked before.
_PARK = text("""
WITH halted AS MATERIALIZED (
    SELECT id FROM campaigns
     WHERE id = ANY(CAST(:campaigns AS uuid[])) AND state IN ('draft', 'paused') ORDER BY id FOR SHARE
)
UPDATE emails SET due_at = :parked FROM halted
 WHERE emails.id = ANY(CAST(:ids AS uuid[])) AND status = 'queued' AND emails.campaign_id = halted.id
""")
# `IS TRUE` keeps the planner off the index of all parked e-mails. Before the table's first ANALYZE it expects one of
# them, and compares all pairs (measured: 7 s instead of 0.3 s for a page of 5,000).
_UNPARK = text("""
WITH page AS MATERIALIZED (
    SELECT id, campaign_id FROM emails
     WHERE lane = 'campaign' AND status = 'queued' AND due_at = :parked AND id > CAST(:after AS uuid)
     ORDER BY id LIMIT :limit
), due AS (
    UPDATE emails SET due_at = :now FROM page
     WHERE emails.id = page.id AND page.campaign_id = :campaign_id
       AND (status = 'queued' AND due_at = :parked) IS TRUE
)
SELECT id FROM page ORDER BY id DESC LIMIT 1
""")
_REQUEUE = text("""
UPDATE emails SET status = 'queued', due_at = :now, accepted_at = :now, reason = :reason
 WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'failed'
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
    kind: str
    status: str
    sent_at: datetime | None
    accepted_at: datetime
    moments: Mapping[str, datetime]


def lock(session: Session, email_ids: Iterable[UUID]) -> tuple[list[Email], bool]:
    """Lock these e-mails and their contacts until the transaction ends.

    Return the e-mails, and True if one of the contacts was erased.
    """
    locked = [_email(row) for row in session.execute(_LOCK, {"ids": arrays.uuids(email_ids)}).all()]
    return locked, contact_flags.lock(session, {email.contact_id for email in locked})


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


def cancel(session: Session, email_ids: Sequence[UUID], reason: str) -> None:
    """Cancel those of these e-mails that are queued, for this reason."""
    session.execute(_CANCEL_THESE, {"ids": arrays.uuids(email_ids), "reason": reason})


def cancel_free(session: Session, email_ids: Sequence[UUID], reason: str) -> None:
    """Cancel those of these e-mails that are queued and not locked by a sender; never waits."""
    if email_ids:
        session.execute(_CANCEL_FREE, {"ids": arrays.uuids(email_ids), "reason": reason})


def put_off(session: Session, waits: Sequence[tuple[UUID, datetime, str]]) -> None:
    """Set the due time and the reason of queued e-mails."""
    if waits:
        email_ids, due, reasons = zip(*waits, strict=True)
        values = {"ids": arrays.uuids(email_ids), "due": arrays.moments(due), "reasons": arrays.words(reasons)}
        session.execute(_PUT_OFF, values)


def park(session: Session, email_ids: Sequence[UUID], campaign_ids: Iterable[UUID]) -> None:
    """Move those of these queued e-mails whose campaign is paused to `PARKED`. Locks the campaigns' rows, shared."""
    if email_ids:
        values = {"ids": arrays.uuids(email_ids), "campaigns": arrays.uuids(campaign_ids), "parked": PARKED}
        session.execute(_PARK, values)


def unpark(session: Session, campaign_id: UUID, after: UUID, *, now: datetime, limit: int) -> UUID | None:
    """Make a campaign's parked e-mails due now, among the next `limit` parked ones of all campaigns after `after`.

    Returns the id of the last one, from which to continue; None if no parked e-mail is left.
    """
    values = {"campaign_id": campaign_id, "after": after, "now": now, "limit": limit, "parked": PARKED}
    last: UUID | None = session.scalar(_UNPARK, values)
    return last


def requeue(session: Session, email_ids: Sequence[UUID], reason: str, *, now: datetime) -> None:
    """Queue failed e-mails again, due now, under the same Message-ID. Their time for retries starts again."""
    session.execute(_REQUEUE, {"ids": arrays.uuids(email_ids), "reason": reason, "now": now})


def end_pause(session: Session, contact_id: UUID, paused_until: datetime, *, now: datetime) -> None:
    """Make e-mails due now that waited for the end of the contact's pause."""
    session.execute(_END_PAUSE, {"contact_id": contact_id, "paused_until": paused_until, "now": now})


def _email(row: Sequence[Any]) -> Email:
    email_id, contact_id, campaign_id, step, variant, kind, status, sent_at, accepted_at, *moments = row
    first_moments = {kind: moment for kind, moment in zip(KINDS, moments, strict=True) if moment is not None}
    return Email(email_id, contact_id, campaign_id, step, variant, kind, status, sent_at, accepted_at, first_moments)


_ERASING = """
UPDATE emails SET variables = NULL, subject = CASE WHEN campaign_id IS NULL THEN '' ELSE subject END,
       status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,
       reason = CASE WHEN status = 'queued' THEN :reason ELSE reason END
"""
_ERASE = text(f"""
WITH theirs AS MATERIALIZED (SELECT id FROM emails WHERE contact_id = :contact_id ORDER BY id FOR UPDATE)
{_ERASING} FROM theirs WHERE emails.id = theirs.id
""")  # noqa: S608  # constants only
_REASSIGN = text("UPDATE emails SET contact_id = :contact_id WHERE contact_id = ANY(CAST(:contact_ids AS uuid[]))")
_LOCK_SOME = text("SELECT status FROM emails WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")
_ERASE_SOME = text(f"{_ERASING} WHERE id = ANY(CAST(:ids AS uuid[]))")
_IS_IN_FLIGHT = text("""
SELECT EXISTS (SELECT FROM emails WHERE contact_id = :contact_id AND status IN ('claimed', 'sending'))
    OR EXISTS (SELECT FROM enrollments n JOIN send_groups g
                   ON g.state = 'open' AND g.campaign_id = n.campaign_id AND n.id = ANY(g.members)
                WHERE n.contact_id = :contact_id)
""")


def erase(session: Session, contact_id: UUID, *, reason: str) -> None:
    """Erase the variables and own subjects of the contact's e-mails, and cancel those of every kind that are queued."""
    session.execute(_ERASE, {"contact_id": contact_id, "reason": reason})


def erase_some(session: Session, email_ids: Sequence[UUID], *, reason: str) -> bool:
    """Do the same to these e-mails; return False, having changed nothing, while one of them is being sent."""
    states = session.scalars(_LOCK_SOME, {"ids": arrays.uuids(email_ids)}).all()
    if any(state in ("claimed", "sending") for state in states):
        return False
    session.execute(_ERASE_SOME, {"ids": arrays.uuids(email_ids), "reason": reason})
    return True


def reassign(session: Session, contact_ids: Sequence[UUID], contact_id: UUID) -> None:
    """Make the e-mails of these erased contacts those of another erased one."""
    session.execute(_REASSIGN, {"contact_ids": arrays.uuids(contact_ids), "contact_id": contact_id})


def is_in_flight(session: Session, contact_id: UUID) -> bool:
    """Return True if a sender has claimed an e-mail to the contact."""
    return bool(session.scalar(_IS_IN_FLIGHT, {"contact_id": contact_id}))
