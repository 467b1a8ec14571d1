"""Who is sending: each process that sends has a row, and a fence that ends its right to write (rule R9b)."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from errors import Fenced
from models import ids


def register(session: Session, host: str, pid: int) -> UUID:
    """A new sender on `host`; its id names its recorder too."""
    sender_id = ids.new()
    insert = text("INSERT INTO senders (id, host, pid) VALUES (:id, :host, :pid)")
    session.execute(insert, {"id": sender_id, "host": host, "pid": pid})
    return sender_id


# A sender touches rows by their keys alone. In mid-campaign the statistics lag behind, and a plan that reads a whole
# table would cost 20 ms a group, so it may have none. Plans are kept: making one costs as much as running it.
_HOLD = text("""
    SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
           set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
           set_config('plan_cache_mode', 'force_generic_plan', true)
      FROM senders WHERE id = :id AND fenced_at IS NULL FOR SHARE
""")


def hold(session: Session, sender_id: UUID) -> None:
    """First statement of every transaction in which a sender writes; raises Fenced when it may not any more.

    The shared lock makes a recoverer's fence wait for a COMMIT that the database is still finishing, even when
    the process that asked for it is dead (measured: without it 250 messages were stranded).
    """
    if session.execute(_HOLD, {"id": sender_id}).first() is None:
        raise Fenced(f"sender {sender_id} was fenced: its work has been given to others")


def replan(session: Session) -> None:
    """Forget the plans of this connection: the next ones are made for the tables as they are by then.

    A plan made for a table of a few rows reads all of it for each row of another, and it stays when the table fills
    (measured: a claim of 150 mails ran for 15 s). So this is for the beginning of each drain.
    """
    session.execute(text("DISCARD PLANS"))


def fence(session: Session, sender_id: UUID) -> None:
    """End a sender's right to write. To be committed before its groups are read; safe to repeat."""
    update = text("UPDATE senders SET fenced_at = coalesce(fenced_at, now()) WHERE id = :id")
    session.execute(update, {"id": sender_id})


def overdue(session: Session, *, grace_s: float) -> list[UUID]:
    """Senders with open groups whose lease ran out more than `grace_s` seconds ago, by the database's clock."""
    query = text(
        "SELECT DISTINCT g.sender_id FROM send_groups g "
        "WHERE g.state = 'open' AND g.leased_until < now() - make_interval(secs => :grace) "
        "ORDER BY g.sender_id"
    )
    return list(session.scalars(query, {"grace": grace_s}))


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
