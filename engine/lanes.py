"""The state of each lane: how many e-mails are overdue, since when, and when a sender last worked on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from models import together
from models.email import LANES
from models.together import Query

COUNTED_MAX = 1_000
LATE = timedelta(seconds=60)

# Each due step and each due e-mail is read by an index alone, at most `most` of them. A waiting enrollment has no
# `next_at`, so the condition on the state is that of the index. E-mails of a paused or cancelled campaign are due in no
# lane; they are left out after the limit, so that not even a million of them takes longer. A group that is open and
# leased is being worked on. The newest group of a lane is the first of its index.
_LANES = """
WITH due AS (
    SELECT 'campaign' AS lane, step.due_at
      FROM (SELECT c.id, s.step FROM campaigns c JOIN campaign_steps s ON s.campaign_id = c.id
             WHERE c.state = 'running') AS running
     CROSS JOIN LATERAL (
        SELECT next_at AS due_at FROM enrollments
         WHERE campaign_id = running.id AND next_step = running.step AND state IN ('active', 'waiting')
           AND next_at <= :now
         ORDER BY next_at, id LIMIT :most) AS step
    UNION ALL
    SELECT lane.name, email.due_at
      FROM unnest(CAST(:lanes AS text[])) AS lane (name)
     CROSS JOIN LATERAL (
        SELECT e.due_at, e.campaign_id FROM emails e
         WHERE e.status = 'queued' AND e.lane = lane.name AND e.due_at <= :now
         ORDER BY e.due_at, e.id LIMIT :most) AS email
     WHERE email.campaign_id IS NULL
        OR email.campaign_id NOT IN (SELECT id FROM campaigns WHERE state IN ('paused', 'cancelled'))
)
SELECT lane.name, coalesce(overdue.number, 0) AS number, overdue.since,
       CASE WHEN EXISTS (SELECT 1 FROM send_groups g
                          WHERE g.state = 'open' AND g.lane = lane.name AND g.leased_until > now())
            THEN now() ELSE newest.at END AS worked_at, now() AS now
  FROM unnest(CAST(:lanes AS text[])) WITH ORDINALITY AS lane (name, place)
  LEFT JOIN (SELECT lane, count(*) AS number, min(due_at) AS since FROM due GROUP BY lane) AS overdue
    ON overdue.lane = lane.name
  LEFT JOIN LATERAL (SELECT coalesce(g.ended_at, g.started_at) AS at FROM send_groups g
                      WHERE g.lane = lane.name ORDER BY g.started_at DESC LIMIT 1) AS newest ON true
 ORDER BY lane.place
"""
_COLUMNS = ("name", "number", "since", "worked_at", "now")


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane: `due` e-mails, at most `COUNTED_MAX` of each step counted, and when a sender last worked on it.

    `since` is when the longest due one became due, in product time; `worked_s_ago` is None if no sender did within the
    last week. A lane is late if e-mails are due for more than a minute and no sender works on it.
    """

    name: str
    due: int
    since: datetime | None
    worked_s_ago: float | None
    is_late: bool


def read(session: Session, *, now: datetime, clock_rate: float = 1.0, most: int = COUNTED_MAX) -> list[Lane]:
    """Return the state of every lane. Counts at most `most` e-mails of each step and each lane."""
    return together.one(session, query(now=now, clock_rate=clock_rate, most=most))


def query(*, now: datetime, clock_rate: float = 1.0, most: int = COUNTED_MAX) -> Query[list[Lane]]:
    """Return the query of `read`."""
    values = {"now": now, "lanes": list(LANES), "most": most}
    return Query(_LANES, _COLUMNS, partial(_lanes, now, clock_rate), values)


def _lanes(now: datetime, clock_rate: float, rows: Sequence[Any]) -> list[Lane]:
    lanes = []
    for name, number, since, worked_at, database_now in rows:
        idle = None if worked_at is None else database_now - worked_at
        is_overdue = since is not None and now - since > LATE * clock_rate
        is_late = is_overdue and (idle is None or idle > LATE)
        worked_s_ago = None if idle is None else max(0.0, idle / timedelta(seconds=1))
        lanes.append(Lane(name, number, since, worked_s_ago, is_late))
    return lanes
