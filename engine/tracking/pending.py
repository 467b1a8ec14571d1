"""Pending events: locked in batches to be applied, each by one worker at a time."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking.bots.hits import Classification
from models import arrays

# The columns of a PendingEvent.
COLUMNS = """id, email_id, event_type, timestamp, source, coalesce(event_data -> 'hard' = 'true', false),
       coalesce(event_data ->> 'network', ''), coalesce(event_data ->> 'prefix', '')"""

# Locks only; each event is written once, at the end, as a new row version costs an entry in each index.
_LOCK = text(f"""
SELECT {COLUMNS}
  FROM events WHERE applied_at IS NULL AND NOT held
 ORDER BY received_at, id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608  # built from the columns above alone

# Further pending events of the same e-mails: each e-mail is classified once instead of twice, and concurrent appliers
# wait less for each other's e-mails. IS FALSE makes the planner use a hash, as in bursts.py.
_LOCK_MORE = text(f"""
SELECT {COLUMNS}
  FROM events WHERE email_id = ANY(CAST(:email_ids AS uuid[])) AND applied_at IS NULL AND NOT held
   AND (id IN (SELECT unnest(CAST(:ids AS uuid[])))) IS FALSE
 LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608  # built from the columns above alone

_FINISH = text("""
UPDATE events SET applied_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))
""")
_CLASSIFY = text("""
UPDATE events SET source = v.source, reasons = string_to_array(v.reasons, ','),
                  applied_at = coalesce(applied_at, :now)
  FROM unnest(CAST(:ids AS uuid[]), CAST(:sources AS text[]), CAST(:reasons AS text[])) AS v (id, source, reasons)
 WHERE events.id = v.id
""")
_FINISH_UNSUBSCRIBES = text("""
UPDATE events SET applied_at = :now FROM emails
 WHERE emails.contact_id = :contact_id AND events.email_id = emails.id
   AND event_type = 'unsubscribed' AND applied_at IS NULL
""")
_HOLD = text("UPDATE events SET held = true WHERE id = ANY(CAST(:ids AS uuid[]))")


class PendingEvent(NamedTuple):
    """An event that this transaction has locked, to apply it. `hard`: a bounce because the address does not exist."""

    id: UUID
    email_id: UUID
    event_type: str
    timestamp: datetime
    source: str
    hard: bool
    network: str = ""
    prefix: str = ""


def lock(session: Session, *, limit: int) -> list[PendingEvent]:
    """Lock and return up to `limit` pending events, oldest first, and up to as many more of the same e-mails.

    They stay locked until the transaction ends, which must finish or hold them. Skips events that others have locked.
    """
    first = [PendingEvent._make(row) for row in session.execute(_LOCK, {"limit": limit})]
    if not first:
        return first
    email_ids, event_ids = {event.email_id for event in first}, [event.id for event in first]
    values = {"email_ids": arrays.uuids(email_ids), "ids": arrays.uuids(event_ids), "limit": limit}
    return first + [PendingEvent._make(row) for row in session.execute(_LOCK_MORE, values)]


def finish(session: Session, event_ids: Sequence[UUID], *, now: datetime) -> None:
    """Mark these events, which this transaction has locked, as applied at `now`."""
    if event_ids:
        session.execute(_FINISH, {"ids": arrays.uuids(event_ids), "now": now})


def finish_unsubscribes(session: Session, contact_id: UUID, *, now: datetime) -> None:
    """Note all unsubscribe events of the contact as applied, so that none suppresses it after a resubscription."""
    session.execute(_FINISH_UNSUBSCRIBES, {"contact_id": contact_id, "now": now})


def write_classifications(session: Session, classifications: Iterable[Classification], *, now: datetime) -> None:
    """Write the classifications of applied hits, and of hits that this transaction has locked, which become applied.

    This transaction holds the rows of their e-mails, so no other one writes classifications of the same hits.
    """
    ordered = sorted(classifications, key=lambda each: each.id.int)
    if ordered:
        values = {
            "ids": arrays.uuids(each.id for each in ordered),
            "sources": arrays.words(each.source for each in ordered),
            "reasons": arrays.words(",".join(each.reasons) for each in ordered),
            "now": now,
        }
        session.execute(_CLASSIFY, values)


def hold(session: Session, event_ids: Sequence[UUID]) -> None:
    """Hold these events, which this transaction has locked, until their e-mails are recorded as sent."""
    if event_ids:
        session.execute(_HOLD, {"ids": arrays.uuids(event_ids)})
