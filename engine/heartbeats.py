"""Heartbeats: the moments at which each periodic task last began and completed, by the database's clock."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Heartbeat, together
from models.together import Query

LATE_S = 60.0  # rule R5

_AGES = "SELECT name, beaten_at, clock_timestamp() AS now FROM heartbeats"


def ages(session: Session) -> dict[str, float]:
    """Return the seconds since each task last completed. One round trip; raises if the database is unavailable."""
    return together.one(session, ages_query())


def ages_query() -> Query[dict[str, float]]:
    """Return the query of `ages`."""
    return Query(_AGES, ("name", "beaten_at", "now"), _ages)


def _ages(rows: Sequence[Any]) -> dict[str, float]:
    return {name: (now - beaten_at) / timedelta(seconds=1) for name, beaten_at, now in rows}


def is_late(age_s: float | None, *, limit_s: float = LATE_S) -> bool:
    """Return True if a task of this age should have completed again, or never did."""
    return age_s is None or age_s > limit_s


def beat(session: Session, name: str) -> None:
    """Store that the periodic task `name` has just completed. Safe to run twice at once."""
    row = insert(Heartbeat).values(name=name, beaten_at=func.clock_timestamp())
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"beaten_at": func.clock_timestamp()}))


# A moment in the future comes from a clock that was set back since, so it bars nobody. A tick that may not begin
# writes nothing.
_BEGIN = text("""
WITH again AS (
    UPDATE heartbeats SET beaten_at = clock_timestamp()
     WHERE name = :name
       AND beaten_at NOT BETWEEN clock_timestamp() - make_interval(secs => :pause) AND clock_timestamp()
    RETURNING name
), first AS (
    INSERT INTO heartbeats (name, beaten_at)
    SELECT :name, clock_timestamp() WHERE NOT EXISTS (SELECT 1 FROM heartbeats WHERE name = :name)
    ON CONFLICT (name) DO NOTHING
    RETURNING name
)
SELECT EXISTS (SELECT 1 FROM again) OR EXISTS (SELECT 1 FROM first)
""")


def begin(session: Session, name: str, *, pause_s: float) -> bool:
    """Return True and store the moment, unless the periodic task `name` began within the last `pause_s` seconds.

    Of several at once, one begins. Commit before the task does its work.
    """
    return bool(session.scalar(_BEGIN, {"name": f"{name} began", "pause": pause_s}))
