"""Visits of landing pages by hour and UTM source: views, those of machines apart, submissions and confirmations."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking.views import Key

HOUR, DAY = "hour", "day"
DAYS, _SOURCES = 30, 20

_ADD = text("""
INSERT INTO page_visits (page_id, hour, source, views, machine_views)
SELECT page_id, hour, source, views, machine_views
  FROM unnest(CAST(:page_id AS uuid[]), CAST(:hour AS timestamptz[]), CAST(:source AS text[]),
              CAST(:views AS int[]), CAST(:machine_views AS int[]))
       AS counted (page_id, hour, source, views, machine_views)
 WHERE EXISTS (SELECT 1 FROM pages p WHERE p.id = counted.page_id)
ON CONFLICT (page_id, hour, source) DO UPDATE
   SET views = page_visits.views + excluded.views, machine_views = page_visits.machine_views + excluded.machine_views
""")
# A submission is valid for seven days, so a confirmation of the span was submitted at most that long before it.
_OF_PAGE = """
SELECT date_trunc(:unit, hour, 'UTC') AS moment, source, views, machine_views, 0 AS submissions, 0 AS confirmations
  FROM page_visits WHERE page_id = :page_id AND hour >= :since
UNION ALL
SELECT date_trunc(:unit, submitted_at, 'UTC'), coalesce(source, ''), 0, 0, 1, 0
  FROM form_submissions WHERE landing_page_id = :page_id AND submitted_at >= :since
UNION ALL
SELECT date_trunc(:unit, confirmed_at, 'UTC'), coalesce(source, ''), 0, 0, 0, 1
  FROM form_submissions
 WHERE landing_page_id = :page_id AND submitted_at >= CAST(:since AS timestamptz) - interval '7 days'
   AND confirmed_at >= :since
"""
_SUMS = "sum(views), sum(machine_views), sum(submissions), sum(confirmations)"
_BY_MOMENT = text(f"SELECT moment, {_SUMS} FROM ({_OF_PAGE}) AS it GROUP BY moment ORDER BY moment")  # noqa: S608  # constants only
_BY_SOURCE = text(f"""
SELECT source, {_SUMS} FROM ({_OF_PAGE}) AS it GROUP BY source ORDER BY sum(views) DESC, source LIMIT :limit
""")  # noqa: S608  # constants only
_TOTALS = text("""
SELECT page_id, sum(views) AS views, sum(machine_views) AS machine_views,
       (SELECT count(*) FROM form_submissions s
         WHERE s.landing_page_id = wanted.page_id AND s.submitted_at >= :since) AS submissions,
       (SELECT count(*) FROM form_submissions s
         WHERE s.landing_page_id = wanted.page_id AND s.submitted_at >= CAST(:since AS timestamptz) - interval '7 days'
           AND s.confirmed_at >= :since) AS confirmations
  FROM unnest(CAST(:page_ids AS uuid[])) AS wanted (page_id)
  LEFT JOIN LATERAL (SELECT views, machine_views FROM page_visits v
                      WHERE v.page_id = wanted.page_id AND v.hour >= :since) AS of_page ON true
 GROUP BY page_id
""")


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


def count(session: Session, page_id: UUID, *, now: datetime) -> dict[str, Any]:
    """Return the counts of a page in the last 30 days by day in UTC and by the most viewed sources, as JSON."""
    since = (now.astimezone(UTC) - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = by_moment(session, page_id, since=since)
    sources = by_source(session, page_id, since=since, limit=_SOURCES)
    return {
        "days": {str(moment.date()): list(counts) for moment, counts in days.items()},
        "sources": [[source, *counts] for source, counts in sources.items()],
    }


def by_moment(session: Session, page_id: UUID, *, since: datetime, unit: str = DAY) -> dict[datetime, Counts]:
    """Return the counts of a page by `HOUR` or `DAY` in UTC."""
    rows = session.execute(_BY_MOMENT, {"page_id": page_id, "since": since, "unit": unit})
    return {moment: Counts(*map(int, sums)) for moment, *sums in rows}


def by_source(session: Session, page_id: UUID, *, since: datetime, limit: int = 50) -> dict[str, Counts]:
    """Return the counts of a page by UTM source, the most viewed first; "" is a visit without one."""
    rows = session.execute(_BY_SOURCE, {"page_id": page_id, "since": since, "unit": DAY, "limit": limit})
    return {source: Counts(*map(int, sums)) for source, *sums in rows}


def totals(session: Session, page_ids: Sequence[UUID], *, since: datetime) -> dict[UUID, Counts]:
    """Return the counts of these pages since that moment."""
    rows = session.execute(_TOTALS, {"page_ids": list(page_ids), "since": since})
    return {page_id: Counts(*(int(number or 0) for number in numbers)) for page_id, *numbers in rows}
