"""Senders: a row for each process that sends, and the fence that ends its right to write (R9b)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from errors import Fenced
from models import ids, together
from models.together import Query


def register(session: Session, host: str, pid: int) -> UUID:
    """Insert a sender on `host` and return its id, which also names its recorder."""
    sender_id = ids.new()
    insert = text("INSERT INTO senders (id, host, pid) VALUES (:id, :host, :pid)")
    session.execute(insert, {"id": sender_id, "host": host, "pid": pid})
    return sender_id


# A sender reads rows by their keys only. During a campaign the statistics are out of date, and a plan with a sequential
# scan would cost 20 ms a group (measured), so such plans are disabled. Generic plans are kept, because planning costs
# as much as executing.
_HOLD = text("""
    SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
           set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
           set_config('plan_cache_mode', 'force_generic_plan', true)
      FROM senders WHERE id = :id AND fenced_at IS NULL FOR SHARE
""")


def hold(session: Session, sender_id: UUID) -> None:
    """Lock the sender's row for the transaction, or raise Fenced. Call it first in every transaction of a sender.

    With this shared lock, recovery's fence waits for a COMMIT that the database is still finishing, even if the
    process that requested it is dead (measured: without it 250 e-mails were stranded).
    """
    if session.execute(_HOLD, {"id": sender_id}).first() is None:
        raise Fenced(f"sender {sender_id} was fenced: others have taken over its groups")


def fence(session: Session, sender_id: UUID) -> None:
    """End a sender's right to write. Commit before reading its groups. Safe to repeat."""
    update = text("UPDATE senders SET fenced_at = coalesce(fenced_at, now()) WHERE id = :id")
    session.execute(update, {"id": sender_id})


def overdue(session: Session, *, grace_s: float) -> list[UUID]:
    """Return the senders whose open groups' lease ended more than `grace_s` seconds ago, by the database's clock."""
    query = text(
        "SELECT DISTINCT g.sender_id FROM send_groups g "
        "WHERE g.state = 'open' AND g.leased_until < now() - make_interval(secs => :grace) "
        "ORDER BY g.sender_id"
    )
    return list(session.scalars(query, {"grace": grace_s}))


@dataclass(frozen=True, slots=True)
class Host:
    """The senders of a host: those registered and not fenced, those with a group in progress, and the last group."""

    name: str
    registered: int
    working: int
    worked_s_ago: float | None


# A sender that ends cleanly is fenced. One that was lost without a group in progress stays registered, so a host counts
# as long as it registered a sender or sent something within a week, for which its groups are kept.
_HOSTS = """
SELECT s.host AS name, count(*) AS registered,
       count(*) FILTER (WHERE last.state = 'open' AND last.leased_until > now()) AS working,
       CAST(extract(epoch FROM now() - max(coalesce(last.ended_at, last.started_at))) AS float8) AS worked_s_ago
  FROM senders s
  LEFT JOIN LATERAL (SELECT g.state, g.leased_until, g.started_at, g.ended_at FROM send_groups g
                      WHERE g.sender_id = s.id ORDER BY g.started_at DESC LIMIT 1) AS last ON true
 WHERE s.fenced_at IS NULL
 GROUP BY s.host
HAVING max(greatest(s.started_at, last.started_at, last.leased_until)) > now() - CAST(:listed_for AS interval)
 ORDER BY s.host
"""
_COLUMNS = ("name", "registered", "working", "worked_s_ago")
LISTED_FOR = timedelta(days=7)


def hosts(session: Session) -> list[Host]:
    """Return the hosts that sent or registered a sender within the last `LISTED_FOR`. For reports only."""
    return together.one(session, hosts_query())


def hosts_query() -> Query[list[Host]]:
    """Return the query of `hosts`."""
    return Query(_HOSTS, _COLUMNS, _hosts, {"listed_for": LISTED_FOR})


def _hosts(rows: Sequence[Any]) -> list[Host]:
    return [Host(*row) for row in rows]


_PRUNE_GROUPS = text(
    "DELETE FROM send_groups g WHERE g.state <> 'open' AND g.ended_at < now() - :keep "
    "AND NOT EXISTS (SELECT 1 FROM emails e WHERE e.claim = g.id AND e.status = 'in_doubt')"
)
_PRUNE = text(
    "DELETE FROM senders s WHERE s.fenced_at < now() - :keep "
    "AND NOT EXISTS (SELECT 1 FROM send_groups g WHERE g.sender_id = s.id)"
)


def prune(session: Session, *, keep: timedelta) -> None:
    """Delete groups that ended longer ago than `keep`, except those of e-mails in doubt, and senders without groups."""
    session.execute(_PRUNE_GROUPS, {"keep": keep})
    session.execute(_PRUNE, {"keep": keep})
