"""Rollups: counts by campaign, step, variant and hour, updated with each event. Reports read only these."""

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

_TAKE_BACK = {
    counter: text(f"""
UPDATE email_stats AS s SET failed = s.failed - part.number
       {", refused = s.refused - part.number" if counter == "refused" else ""}
  FROM (SELECT hour, least({counter}, greatest(0, :number - (sum({counter}) OVER (ORDER BY hour DESC) - {counter})))
                     AS number
          FROM email_stats WHERE campaign_id = :campaign_id AND step = :step AND variant = :variant AND hour <= :hour
       ) AS part
 WHERE s.campaign_id = :campaign_id AND s.step = :step AND s.variant = :variant AND s.hour = part.hour
   AND part.number > 0
""")  # noqa: S608  # built from the counters' names alone
    for counter in ("refused", "failed")
}
_HIT_COUNTERS = ("opened", "clicked", "machine_opened", "machine_clicked")
_LOCK_TABLE = text("LOCK TABLE email_stats IN SHARE ROW EXCLUSIVE MODE")
_COUNTED = ", ".join(
    f"count(*) FILTER (WHERE m.{counter}_at >= :hour AND m.{counter}_at < :next) AS {counter}"
    for counter in _HIT_COUNTERS
)
_RECOUNT = text(f"""
WITH counted AS (
    SELECT coalesce(m.campaign_id, CAST(:nobody AS uuid)) AS campaign_id, coalesce(m.step, 0) AS step,
           coalesce(m.variant, '') AS variant, {_COUNTED}
      FROM emails m
     WHERE m.kind <> 'test'
       AND m.id IN (SELECT email_id FROM events
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
    """The key of a rollup row, with the values of an e-mail; `hour` may be any moment within the hour."""

    campaign_id: UUID | None
    step: int | None
    variant: str | None
    hour: datetime


def add(session: Session, counts: Mapping[Key, Mapping[str, int]]) -> None:
    """Add to the counters (`models.stats.COUNTERS`); negative counts move an earlier count to another hour.

    One statement that locks rows by key. Many transactions update the same rows, so call it last before the commit.
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


def take_back(session: Session, key: Key, reason: str, number: int) -> None:
    """Subtract `number` failures for `reason` (refused or expired), from the newest hours up to that of the key.

    The hour in which an e-mail failed is not stored, so the newest ones stand for it. No counter becomes negative.
    """
    counter = {"refused": "refused", "expired": "failed"}[reason]
    stored = _stored(key)
    session.execute(_TAKE_BACK[counter], {**stored._asdict(), "number": number})


def recount(session: Session, hour: datetime) -> int:
    """Recount the opens and clicks of one hour from the e-mails; return how many rows changed.

    Needs all events of the hour. Locks the table: other transactions add their counts after the commit. Run it in a
    transaction of its own.
    """
    session.execute(_LOCK_TABLE)
    values = {
        "nobody": NO_CAMPAIGN,
        "hour": hour,
        "next": hour + timedelta(hours=1),
        "first": ids.first_at(hour),
        "last": ids.first_at(hour + timedelta(hours=1)),
    }
    return int(session.execute(_RECOUNT, values).rowcount)  # type: ignore[attr-defined]


def _stored(key: Key) -> Key:
    """Return the key as stored: no nulls, and the start of the hour in UTC."""
    hour = key.hour.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return Key(key.campaign_id or NO_CAMPAIGN, key.step or 0, key.variant or "", hour)
