"""Events that wait to be applied: taken in batches, each event by one worker at a time."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking.bots import Verdict
from models import arrays

# What a Taken is read from.
COLUMNS = """id, email_id, event_type, timestamp, source, coalesce(event_data -> 'hard' = 'true', false),
       coalesce(event_data ->> 'network', ''), coalesce(event_data ->> 'prefix', '')"""

# Only locked here and written once, at the end: every new version of an event costs an entry in each of its indexes.
_TAKE = text(f"""
SELECT {COLUMNS}
  FROM events WHERE applied_at IS NULL AND NOT held
 ORDER BY received_at, id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608  # built from the columns above alone

# What else waits of the same mails comes along: a mail is judged once instead of twice, and two appliers at once do not
# wait for each other's mails all the time. IS FALSE: by a hash, as in crowds.
_TAKE_ALONG = text(f"""
SELECT {COLUMNS}
  FROM events WHERE email_id = ANY(CAST(:email_ids AS uuid[])) AND applied_at IS NULL AND NOT held
   AND (id IN (SELECT unnest(CAST(:ids AS uuid[])))) IS FALSE
 LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608  # built from the columns above alone

_FINISH = text("""
UPDATE events SET applied_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))
""")
_JUDGED = text("""
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
_PUT_BACK = text("UPDATE events SET held = true WHERE id = ANY(CAST(:ids AS uuid[]))")


class Taken(NamedTuple):
    """An event to be applied in this transaction; `hard` says of a bounce that nobody lives there."""

    id: UUID
    email_id: UUID
    event_type: str
    timestamp: datetime
    source: str
    hard: bool
    network: str = ""
    prefix: str = ""


def take(session: Session, *, limit: int) -> list[Taken]:
    """Up to `limit` unapplied events, the first received first, and as many more that wait of the same mails.

    They are locked until the transaction ends, to be finished or put back in it; events taken by others are stepped
    over, never waited for.
    """
    first = [Taken._make(row) for row in session.execute(_TAKE, {"limit": limit})]
    if not first:
        return first
    email_ids, event_ids = {event.email_id for event in first}, [event.id for event in first]
    asked = {"email_ids": arrays.uuids(email_ids), "ids": arrays.uuids(event_ids), "limit": limit}
    return first + [Taken._make(row) for row in session.execute(_TAKE_ALONG, asked)]


def finish(session: Session, event_ids: Sequence[UUID], *, now: datetime) -> None:
    """Note these events, taken in this transaction, as applied at `now`."""
    if event_ids:
        session.execute(_FINISH, {"ids": arrays.uuids(event_ids), "now": now})


def finish_unsubscribes(session: Session, contact_id: UUID, *, now: datetime) -> None:
    """Note all unsubscribe events of the contact as applied, so that none suppresses it after a resubscription."""
    session.execute(_FINISH_UNSUBSCRIBES, {"contact_id": contact_id, "now": now})


def judged(session: Session, verdicts: Iterable[Verdict], *, now: datetime) -> None:
    """Write verdicts on hits that were applied, or that were taken in this transaction and are so now.

    The rows of their mails are locked by this transaction: nobody else writes verdicts on them meanwhile.
    """
    ordered = sorted(verdicts, key=lambda verdict: verdict.id.int)
    if ordered:
        values = {
            "ids": arrays.uuids(verdict.id for verdict in ordered),
            "sources": arrays.words(verdict.source for verdict in ordered),
            "reasons": arrays.words(",".join(verdict.reasons) for verdict in ordered),
            "now": now,
        }
        session.execute(_JUDGED, values)


def put_back(session: Session, event_ids: Sequence[UUID]) -> None:
    """Let events taken in this transaction wait for the sending of their mails, to be applied once more then."""
    if event_ids:
        session.execute(_PUT_BACK, {"ids": arrays.uuids(event_ids)})
