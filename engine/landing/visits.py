"""Visits of landing pages by hour, day and UTM source: views, machines' apart, submissions and confirmations."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from engine.tracking.views import Key

HOUR, DAY = "hour", "day"
DAYS, _SOURCES = 30, 20

# Both tables are locked in the order of their keys.
_ADD = text("""
WITH counted AS MATERIALIZED (
    SELECT page_id, hour, source, views, machine_views
      FROM unnest(CAST(:page_id AS uuid[]), CAST(:hour AS timestamptz[]), CAST(:source AS text[]),
                  CAST(:views AS int[]), CAST(:machine_views AS int[]))
           AS it (page_id, hour, source, views, machine_views)
     WHERE EXISTS (SELECT 1 FROM pages p WHERE p.id = it.page_id)
), by_hour AS (
    INSERT INTO page_visits (page_id, hour, source, views, machine_views)
    SELECT page_id, hour, source, views, machine_views FROM counted ORDER BY page_id, hour, source
    ON CONFLICT (page_id, hour, source) DO UPDATE
       SET views = page_visits.views + excluded.views,
           machine_views = page_visits.machine_views + excluded.machine_views
)
INSERT INTO page_visit_days (page_id, day, source, views, machine_views)
SELECT page_id, CAST(hour AT TIME ZONE 'UTC' AS date) AS day, source, sum(views), sum(machine_views)
  FROM counted GROUP BY page_id, day, source ORDER BY page_id, day, source
ON CONFLICT (page_id, day, source) DO UPDATE
   SET views = page_visit_days.views + excluded.views,
       machine_views = page_visit_days.machine_views + excluded.machine_views
""")
_FIRST_DAY = "CAST(CAST(:since AS timestamptz) AT TIME ZONE 'UTC' AS date)"
_BY_HOUR = (
    "SELECT hour AS moment, source, views, machine_views FROM page_visits WHERE page_id = :page_id AND hour >= :since"
)
_BY_DAY = f"""
SELECT CAST(day AS timestamp) AT TIME ZONE 'UTC' AS moment, source, views, machine_views FROM page_visit_days
 WHERE page_id = :page_id AND day >= {_FIRST_DAY}
"""  # noqa: S608  # constants only
# A submission is valid for seven days, so a confirmation of the span was submitted at most that long before it.
_SUBMITTED = """
SELECT date_trunc(:unit, submitted_at, 'UTC'), coalesce(source, ''), 0, 0, 1, 0
  FROM form_submissions WHERE landing_page_id = :page_id AND submitted_at >= :since
UNION ALL
SELECT date_trunc(:unit, confirmed_at, 'UTC'), coalesce(source, ''), 0, 0, 0, 1
  FROM form_submissions
 WHERE landing_page_id = :page_id AND submitted_at >= CAST(:since AS timestamptz) - interval '7 days'
   AND confirmed_at >= :since
"""
_SUMS = "sum(views), sum(machine_views), sum(submissions), sum(confirmations)"


def _counted(viewed: str) -> str:
    return f"SELECT *, 0 AS submissions, 0 AS confirmations FROM ({viewed}) AS v UNION ALL {_SUBMITTED}"  # noqa: S608  # constants


def _summed(key: str, viewed: str, end: str) -> TextClause:
    return text(f"SELECT {key}, {_SUMS} FROM ({_counted(viewed)}) AS it GROUP BY {key} ORDER BY {end}")  # noqa: S608  # constants


_BY_MOMENT = {HOUR: _summed("moment", _BY_HOUR, "moment"), DAY: _summed("moment", _BY_DAY, "moment")}
_BY_SOURCE = _summed("source", _BY_DAY, "sum(views) DESC, source LIMIT :limit")
_DAYS_AND_SOURCES = text(f"""
WITH it AS MATERIALIZED ({_counted(_BY_DAY)})
SELECT CAST(moment AT TIME ZONE 'UTC' AS date) AS day, NULL AS source, {_SUMS} FROM it GROUP BY day
UNION ALL
(SELECT NULL, source, {_SUMS} FROM it GROUP BY source ORDER BY sum(views) DESC, source LIMIT :limit)
""")  # noqa: S608  # constants only
_TOTALS = text(f"""
SELECT page_id, sum(views) AS views, sum(machine_views) AS machine_views,
       (SELECT count(*) FROM form_submissions s
         WHERE s.landing_page_id = wanted.page_id AND s.submitted_at >= :since) AS submissions,
       (SELECT count(*) FROM form_submissions s
         WHERE s.landing_page_id = wanted.page_id AND s.submitted_at >= CAST(:since AS timestamptz) - interval '7 days'
           AND s.confirmed_at >= :since) AS confirmations
  FROM unnest(CAST(:page_ids AS uuid[])) AS wanted (page_id)
  LEFT JOIN LATERAL (SELECT views, machine_views FROM page_visit_days v
                      WHERE v.page_id = wanted.page_id AND v.day >= {_FIRST_DAY}) AS of_page ON true
 GROUP BY page_id
""")  # noqa: S608  # constants only


class Counts(NamedTuple):
    """Visits: views by people and unknown, views by machines, submissions of the form, and confirmed ones."""

    views: int = 0
    machine_views: int = 0
    submissions: int = 0
    confirmations: int = 0


def add(session: Session, counted: Mapping[Key, tuple[int, int]]) -> None:
    """Add views and machines' views. One statement that locks rows in the order of their keys."""
    keys = sorted(counted)
    values: dict[str, list[Any]] = {name: [getattr(each, name) for each in keys] for name in Key._fields}
    values |= {"views": [counted[each][0] for each in keys], "machine_views": [counted[each][1] for each in keys]}
    session.execute(_ADD, values)


def day_before(now: datetime, days: int) -> datetime:
    """Return the beginning of the day in UTC that many days ago."""
    return (now.astimezone(UTC) - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)


def count(session: Session, page_id: UUID, *, now: datetime) -> dict[str, Any]:
    """Return the counts of a page in the last 30 days by day in UTC and by the most viewed sources, as JSON."""
    since = day_before(now, DAYS - 1)
    values = {"page_id": page_id, "since": since, "unit": DAY, "limit": _SOURCES}
    rows = session.execute(_DAYS_AND_SOURCES, values).all()
    return {
        "days": {str(day): list(map(int, sums)) for day, _, *sums in rows if day},
        "sources": [[source, *map(int, sums)] for day, source, *sums in rows if not day],
    }


def by_moment(session: Session, page_id: UUID, *, since: datetime, unit: str = DAY) -> dict[datetime, Counts]:
    """Return the counts of a page by `HOUR` or `DAY` in UTC; of days, `since` is the beginning of one."""
    rows = session.execute(_BY_MOMENT[unit], {"page_id": page_id, "since": since, "unit": unit})
    return {moment: Counts(*map(int, sums)) for moment, *sums in rows}


def by_source(session: Session, page_id: UUID, *, since: datetime, limit: int = 50) -> dict[str, Counts]:
    """Return the counts of a page by UTM source, the most viewed first; "" is a visit without one.

    `since` is the beginning of a day in UTC.
    """
    rows = session.execute(_BY_SOURCE, {"page_id": page_id, "since": since, "unit": DAY, "limit": limit})
    return {source: Counts(*map(int, sums)) for source, *sums in rows}


def totals(session: Session, page_ids: Sequence[UUID], *, since: datetime) -> dict[UUID, Counts]:
    """Return the counts of these pages since the beginning of that day in UTC."""
    rows = session.execute(_TOTALS, {"page_ids": list(page_ids), "since": since})
    return {page_id: Counts(*(int(number or 0) for number in numbers)) for page_id, *numbers in rows}
