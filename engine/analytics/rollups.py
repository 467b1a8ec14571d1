"""Rollups: counts by campaign, step, variant and hour, kept up as things happen; reports read nothing else."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

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


def _stored(key: Key) -> Key:
    """The key as the table holds it, where nothing is null and hours are whole."""
    hour = key.hour.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return Key(key.campaign_id or NO_CAMPAIGN, key.step or 0, key.variant or "", hour)
