"""Retention of raw events, and erasure of their data. Counts, flags and scores derived from them are kept."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import hit_history
from models import arrays, ids

# No event of an e-mail accepted since the horizon is missing, as none can have been received before.
_SET = text("""
INSERT INTO horizons AS was (name, since) VALUES (:name, :since)
ON CONFLICT (name) DO UPDATE SET since = excluded.since WHERE was.since < excluded.since
""")
_PRUNE = text("""
WITH old AS MATERIALIZED (
    SELECT id FROM events
     WHERE id < :first AND received_at < :since AND (applied_at IS NOT NULL OR held)
     ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
)
DELETE FROM events USING old WHERE events.id = old.id
""")


def since(now: datetime, months: int) -> datetime:
    """Return the start of the month `months` before that of `now`: whole months are kept."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def set_horizon(session: Session, moment: datetime) -> None:
    """Record that events before `moment` may be gone; never moves back. Commit before the first `prune`."""
    session.execute(_SET, {"name": hit_history.HORIZON, "since": moment})


def prune(session: Session, *, limit: int = 5_000) -> int:
    """Delete up to `limit` events from before the horizon, oldest first; return their number, 0 at the end.

    Keeps events that were received since, however old they are, and pending ones. Safe to run twice at once.
    """
    moment = hit_history.horizon(session)
    if moment <= ids.EPOCH:
        return 0
    values = {"first": ids.first_at(moment), "since": moment, "limit": limit}
    return int(session.execute(_PRUNE, values).rowcount)  # type: ignore[attr-defined]


_ERASE_OF = text("""
UPDATE events SET event_data = '{}'
  FROM emails WHERE emails.contact_id = :contact_id AND events.email_id = emails.id AND event_data <> '{}'
""")
_OF_ERASED = """
UPDATE events SET event_data = '{}'
  FROM emails JOIN contacts ON contacts.id = emails.contact_id
 WHERE events.email_id = emails.id AND event_data <> '{}'
"""
_ERASED_SINCE = text("SELECT id FROM contacts WHERE erased_at > :since")
# OFFSET makes the planner look up the events of each e-mail, where it might read the whole table for many.
_LATE = text("""
SELECT late.id FROM unnest(CAST(:contact_ids AS uuid[])) AS erased (contact_id)
 CROSS JOIN LATERAL (SELECT id FROM emails WHERE contact_id = erased.contact_id OFFSET 0) AS their
 CROSS JOIN LATERAL (SELECT id FROM events WHERE email_id = their.id AND event_data <> '{}' AND applied_at IS NOT NULL
                     OFFSET 0) AS late
""")
_ERASE_LATE = text("UPDATE events SET event_data = '{}' WHERE id = ANY(CAST(:ids AS uuid[]))")
_PAGE = 1_000  # contacts
_ERASE_APPLIED = text(f"{_OF_ERASED} AND contacts.erased_at IS NOT NULL AND events.id = ANY(CAST(:ids AS uuid[]))")
_OVERLAP = timedelta(hours=1)  # longer than any transaction that began before an erasure
# The moment up to which late events were erased. It moves back if the clock is set back.
_ERASURES = "erasures"
_LATE_SINCE = text("SELECT since FROM horizons WHERE name = :name")
_NOTE_LATE = text("""
INSERT INTO horizons (name, since) VALUES (:name, :now) ON CONFLICT (name) DO UPDATE SET since = excluded.since
""")


def erase(session: Session, contact_id: UUID) -> None:
    """Erase the data of all events of a contact, such as network and user agent. A classification stays."""
    session.execute(_ERASE_OF, {"contact_id": contact_id})


def erase_applied(session: Session, event_ids: Iterable[UUID]) -> None:
    """Erase the data of those of these events whose contact was erased. The transaction holds their locks."""
    session.execute(_ERASE_APPLIED, {"ids": arrays.uuids(event_ids)})


def erase_late(session: Session, *, now: datetime) -> int:
    """Erase the data of events that were applied while their contact was being erased; return their number.

    Looks at the contacts that were erased since the last run, or ever before the first one. Safe to run twice at once.
    """
    last: datetime | None = session.scalar(_LATE_SINCE, {"name": _ERASURES})
    since = ids.EPOCH if last is None else min(last, now) - _OVERLAP
    erased = session.scalars(_ERASED_SINCE, {"since": since}).all()
    late: list[UUID] = []
    for start in range(0, len(erased), _PAGE):
        late += session.scalars(_LATE, {"contact_ids": arrays.uuids(erased[start : start + _PAGE])})
    if late:
        session.execute(_ERASE_LATE, {"ids": arrays.uuids(late)})
    session.execute(_NOTE_LATE, {"name": _ERASURES, "now": now})
    return len(late)
