"""Reports: events that landing pages and other systems tell of, one or many at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import events
from engine.tracking.events import Arrival

Outcome = Literal["stored", "duplicate", "unknown"]

_ACCEPTED = text("SELECT id, accepted_at FROM emails WHERE id = ANY(:ids)")


def take(session: Session, arrivals: Sequence[Arrival], *, late_after: timedelta, now: datetime) -> list[Outcome]:
    """Store every event not stored before; what became of each, in the order given.

    One of a mail that does not exist is `unknown` and keeps no other from being stored. One that lies more than
    `late_after` back, or before its mail was accepted, is kept with the mark `late`. Commit, then ring "events".
    """
    accepted = _accepted(session, arrivals)
    marked = [_marked(arrival, accepted.get(arrival.email_id), now - late_after) for arrival in arrivals]
    new = events.record(session, marked, now=now, skip_unknown=True)
    known = accepted.keys()
    if not all(is_new or each.email_id in known for each, is_new in zip(marked, new, strict=True)):
        known = _accepted(session, marked).keys()  # with those that got their row just now
    return [
        "stored" if is_new else "duplicate" if arrival.email_id in known else "unknown"
        for arrival, is_new in zip(marked, new, strict=True)
    ]


def _accepted(session: Session, arrivals: Iterable[Arrival]) -> Mapping[UUID, datetime]:
    rows = session.execute(_ACCEPTED, {"ids": list({arrival.email_id for arrival in arrivals})})
    return {row.id: row.accepted_at for row in rows}


def _marked(arrival: Arrival, accepted_at: datetime | None, oldest: datetime) -> Arrival:
    """The moment of acceptance counts in whole seconds, as a reporter may tell no more."""
    if arrival.timestamp is None:
        return arrival
    floor = max(oldest, accepted_at.replace(microsecond=0)) if accepted_at else oldest
    return replace(arrival, data={**arrival.data, "late": True}) if arrival.timestamp < floor else arrival
