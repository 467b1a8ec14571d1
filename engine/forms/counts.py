"""Counts of a form by day in UTC, shown and submitted, and its submissions by state."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.forms.definitions import VALID
from engine.tracking.views import Key
from models import ids
from models.form import SUBMISSION_STATES

DAYS = 30
# Ids are in the order of their moments; a repeated submission keeps its id and gets a new moment.
_DAYS = text("""
SELECT CAST(submitted_at AT TIME ZONE 'UTC' AS date) AS day, count(*) AS submitted,
       count(*) FILTER (WHERE state = 'confirmed') AS confirmed
  FROM form_submissions
 WHERE form_id = :form_id AND state = ANY(CAST(:states AS text[])) AND id >= :first AND submitted_at >= :since
 GROUP BY 1
""")
_VIEWS = text("SELECT day, views, machine_views FROM form_views WHERE form_id = :form_id AND day >= :since")
_ADD_VIEWS = text("""
INSERT INTO form_views (form_id, day, views, machine_views)
SELECT * FROM unnest(CAST(:form_id AS uuid[]), CAST(:day AS date[]), CAST(:views AS int[]),
                     CAST(:machine_views AS int[]))
       AS counted (form_id, day, views, machine_views)
 WHERE EXISTS (SELECT FROM forms f WHERE f.id = counted.form_id)
ON CONFLICT (form_id, day) DO UPDATE
   SET views = form_views.views + excluded.views, machine_views = form_views.machine_views + excluded.machine_views
""")
_STATES = text("""
SELECT state, count(*) AS number FROM form_submissions WHERE form_id = :form_id GROUP BY state
UNION ALL
SELECT 'expired', expired_deleted FROM forms WHERE id = :form_id
""")


def add_views(session: Session, counted: Mapping[Key, tuple[int, int]]) -> None:
    """Add views by people and by machines, by form and day, in one statement that locks rows in their order."""
    by_day: defaultdict[tuple[UUID, date], list[int]] = defaultdict(lambda: [0, 0])
    for key, (people, machines) in counted.items():
        of_day = by_day[key.page_id, key.hour.date()]
        of_day[0] += people
        of_day[1] += machines
    keys = sorted(by_day)
    values = {
        "form_id": [form_id for form_id, _ in keys],
        "day": [day for _, day in keys],
        "views": [by_day[key][0] for key in keys],
        "machine_views": [by_day[key][1] for key in keys],
    }
    session.execute(_ADD_VIEWS, values)


def count(session: Session, form_id: UUID, *, now: datetime) -> Mapping[str, Any]:
    """Return the counts of the last 30 days by day, and the submissions of all times by state, as JSON.

    A confirmation counts on the day of its submission. `shown` are views by people, `machines` those by others.
    """
    since = (now.astimezone(UTC) - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    values = {"form_id": form_id, "since": since, "first": ids.first_at(since - VALID)}
    rows = session.execute(_DAYS, {**values, "states": list(SUBMISSION_STATES)})
    days: dict[str, dict[str, int]] = {
        str(row.day): {"submitted": row.submitted, "confirmed": row.confirmed} for row in rows
    }
    for row in session.execute(_VIEWS, {"form_id": form_id, "since": since.date()}):
        days.setdefault(str(row.day), {}).update(shown=row.views, machines=row.machine_views)
    return {"days": days, "states": states(session, form_id)}


def states(session: Session, form_id: UUID) -> dict[str, int]:
    """Return the number of submissions of a form in each state, with those that were deleted since."""
    numbers = dict.fromkeys(SUBMISSION_STATES, 0)
    for row in session.execute(_STATES, {"form_id": form_id}):
        numbers[row.state] += row.number
    return numbers
