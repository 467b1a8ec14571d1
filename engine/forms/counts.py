"""Counts of a form by day in UTC, and its submissions by state."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.forms.definitions import VALID
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
_STATES = text("SELECT state, count(*) AS number FROM form_submissions WHERE form_id = :form_id GROUP BY state")


def count(session: Session, form_id: UUID, *, now: datetime) -> Mapping[str, Any]:
    """Return the counts of the last 30 days by day, and the submissions of all times by state, as JSON.

    A confirmation counts on the day of its submission.
    """
    since = (now.astimezone(UTC) - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    values = {"form_id": form_id, "since": since, "first": ids.first_at(since - VALID)}
    rows = session.execute(_DAYS, {**values, "states": list(SUBMISSION_STATES)})
    days = {str(row.day): {"submitted": row.submitted, "confirmed": row.confirmed} for row in rows}
    states = dict.fromkeys(SUBMISSION_STATES, 0)
    states |= {row.state: row.number for row in session.execute(_STATES, {"form_id": form_id})}
    return {"days": days, "states": states}
