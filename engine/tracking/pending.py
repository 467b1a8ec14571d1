"""Events that wait to be applied: taken in batches, each event by one worker at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_TAKE = text("""
WITH next AS MATERIALIZED (
    SELECT id FROM events WHERE applied_at IS NULL AND NOT held
    ORDER BY received_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE events SET applied_at = :now FROM next WHERE events.id = next.id
RETURNING events.id, events.email_id, events.event_type, events.timestamp, events.source,
          coalesce(events.event_data -> 'hard' = 'true', false) AS hard
""")

_PUT_BACK = text("UPDATE events SET applied_at = NULL, held = true WHERE id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Taken:
    """An event to be applied in this transaction; `hard` says of a bounce that nobody lives there."""

    id: UUID
    email_id: UUID
    event_type: str
    timestamp: datetime
    source: str
    hard: bool


def take(session: Session, *, limit: int, now: datetime) -> list[Taken]:
    """Up to `limit` unapplied events, the first received first, marked as applied at `now`.

    They are locked until the transaction ends; events taken by others are stepped over, never waited for.
    """
    return [Taken(*row) for row in session.execute(_TAKE, {"limit": limit, "now": now})]


def put_back(session: Session, event_ids: Sequence[UUID]) -> None:
    """Let events taken in this transaction wait for the sending of their mails, to be applied once more then."""
    if event_ids:
        session.execute(_PUT_BACK, {"ids": list(event_ids)})
