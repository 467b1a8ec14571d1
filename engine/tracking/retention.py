"""Keeping: how long raw events stay; what was made of them outlives them."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import hit_history
from models import ids

# Of a mail accepted since the horizon no event is missing, for none of it can have been received before.
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
    """The beginning of the month that lies so many months before the present one: whole months are kept."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def set_horizon(session: Session, moment: datetime) -> None:
    """Say that events from before `moment` may be gone; never says less. Commit before the first `prune`."""
    session.execute(_SET, {"name": hit_history.HORIZON, "since": moment})


def prune(session: Session, *, limit: int = 5_000) -> int:
    """Delete up to `limit` events from before the horizon, the oldest first; how many there were, 0 at the end.

    What was received since, however old it is, and what waits to be applied stay. Safe to run twice at once.
    """
    moment = hit_history.horizon(session)
    if moment <= ids.EPOCH:
        return 0
    values = {"first": ids.first_at(moment), "since": moment, "limit": limit}
    return int(session.execute(_PRUNE, values).rowcount)  # type: ignore[attr-defined]
