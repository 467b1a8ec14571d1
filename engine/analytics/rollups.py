"""Rollups: counts by campaign, step, variant and hour, kept up as things happen; reports read nothing else."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from models import ids
from models.stats import COUNTERS

NO_CAMPAIGN = UUID(int=0)

_ARRAYS = ", ".join(f"CAST(:{counter} AS int[])" for counter in COUNTERS)
_ADD = text(f"""
INSERT INTO email_stats (campaign_id, step, variant, hour, {", ".join(COUNTERS)})
SELECT * FROM unnest(CAST(:campaign_id AS uuid[]), CAST(:step AS smallint[]), CAST(:variant AS text[]),
                     CAST(:hour AS timestamptz[]), {_ARRAYS})
ON CONFLICT (campaign_id, step, variant, hour) DO UPDATE
SET {", ".join(f"{counter} = email_stats.{counter} + excluded.{counter}" for counter in COUNTERS)}
""")  # noqa: S608  # built from the counters' names alone

_HIT_COUNTERS = ("opened", "clicked", "machine_opened", "machine_clicked")
_ALONE = text("LOCK TABLE email_stats IN SHARE ROW EXCLUSIVE MODE")
_COUNTED = ", ".join(
    f"count(*) FILTER (WHERE m.{counter}_at >= :hour AND m.{counter}_at < :next) AS {counter}"
    for counter in _HIT_COUNTERS
)
_RECOUNT = text(f"""
WITH counted AS (
    SELECT coalesce(m.campaign_id, CAST(:nobody AS uuid)) AS campaign_id, coalesce(m.step, 0) AS step,
           coalesce(m.variant, '') AS variant, {_COUNTED}
      FROM emails m
     WHERE m.id IN (SELECT email_id FROM events
                     WHERE id >= :first AND id < :last AND event_type IN ('opened', 'clicked'))
     GROUP BY 1, 2, 3
), held AS (SELECT campaign_id, step, variant, {", ".join(_HIT_COUNTERS)} FROM email_stats WHERE hour = :hour)
INSERT INTO email_stats AS was (campaign_id, step, variant, hour, {", ".join(_HIT_COUNTERS)})
SELECT campaign_id, step, variant, :hour, {", ".join(f"coalesce(counted.{name}, 0)" for name in _HIT_COUNTERS)}
  FROM counted FULL JOIN held USING (campaign_id, step, variant)
 WHERE ({", ".join(f"coalesce(counted.{name}, 0)" for name in _HIT_COUNTERS)})
       <> ({", ".join(f"coalesce(held.{name}, 0)" for name in _HIT_COUNTERS)})
ON CONFLICT (campaign_id, step, variant, hour) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in _HIT_COUNTERS)}
""")  # noqa: S608  # built from the counters' names alone


class Key(NamedTuple):
    """One row of the rollups, by what an e-mail knows; any moment within the hour will do."""

    campaign_id: UUID | None
    step: int | None
    variant: str | None
    hour: datetime


def add(session: Session, counts: Mapping[Key, Mapping[str, int]]) -> None:
    """Add to the counters (`models.stats.COUNTERS`); a count may be negative, to move it to another hour.

    One statement, its rows locked in the order of their keys. Many transactions want the same rows: let it be the
    last thing before the commit.
    """
    rows: dict[Key, Counter[str]] = {}
    for key, counted in counts.items():
        rows.setdefault(_stored(key), Counter()).update(counted)
    keys = sorted(key for key, counted in rows.items() if any(counted.values()))
    if not keys:
        return
    places = {name: [getattr(key, name) for key in keys] for name in Key._fields}
    values = {name: [rows[key][name] for key in keys] for name in COUNTERS}
    session.execute(_ADD, places | values)


def recount(session: Session, hour: datetime) -> int:
    """Count the opens and clicks of one hour anew, from the mails; how many rows that changed.

    All events of the hour must be kept. Nobody else adds to rollups meanwhile: what they did before their addition
    is not seen yet, and is added after. So let it be a transaction of its own.
    """
    session.execute(_ALONE)
    values = {
        "nobody": NO_CAMPAIGN,
        "hour": hour,
        "next": hour + timedelta(hours=1),
        "first": ids.first_at(hour),
        "last": ids.first_at(hour + timedelta(hours=1)),
    }
    return int(session.execute(_RECOUNT, values).rowcount)  # type: ignore[attr-defined]


def _stored(key: Key) -> Key:
    """The key as the table holds it, where nothing is null and hours are whole."""
    hour = key.hour.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return Key(key.campaign_id or NO_CAMPAIGN, key.step or 0, key.variant or "", hour)
