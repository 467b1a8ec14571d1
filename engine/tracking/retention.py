"""Retention of raw events, and erasure of their data. Counts, flags and scores derived from them are kept."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import hit_history
from models import ids

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
_ERASE_LATE = text("""
UPDATE events SET event_data = '{}'
  FROM emails JOIN contacts ON contacts.id = emails.contact_id
 WHERE contacts.erased_at IS NOT NULL AND events.email_id = emails.id AND event_data <> '{}'
   AND events.applied_at IS NOT NULL
""")


def erase(session: Session, contact_id: UUID) -> None:
    """Erase the data of all events of a contact, such as network and user agent. A classification stays."""
    session.execute(_ERASE_OF, {"contact_id": contact_id})


def erase_late(session: Session) -> int:
    """Erase the data of events that erased contacts caused since; return their number."""
    return int(session.execute(_ERASE_LATE).rowcount)  # type: ignore[attr-defined]
