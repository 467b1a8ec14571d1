"""Reports: events that landing pages and other systems tell of, one or many at once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import early_events
from engine.tracking.events import Entry

Outcome = Literal["stored", "duplicate", "unknown"]

_ACCEPTED = text("SELECT id, accepted_at FROM emails WHERE id = ANY(:ids)")


def take(session: Session, entries: Sequence[Entry], *, late_after: timedelta, now: datetime) -> list[Outcome]:
    """Store every event not stored before; what became of each, in the order given.

    One of a mail that does not exist is `unknown` and keeps no other from being stored. Late ones are marked. Commit,
    then ring "events".
    """
    accepted = _accepted(session, entries)
    new = early_events.store(session, [_marked(each, accepted, late_after) for each in entries], now=now)
    known = accepted.keys()
    if not all(each.dedupe_key in new or each.email_id in known for each in entries):
        known = _accepted(session, entries).keys()  # with those that got their row just now
    return [_outcome(each, new, known) for each in entries]


def marked(session: Session, entries: Sequence[Entry], *, late_after: timedelta) -> list[Entry]:
    """The entries; with the mark `late` where one lies more than `late_after` before it was received, or before its
    mail was accepted."""
    accepted = _accepted(session, entries)
    return [_marked(each, accepted, late_after) for each in entries]


def _accepted(session: Session, entries: Iterable[Entry]) -> Mapping[UUID, datetime]:
    rows = session.execute(_ACCEPTED, {"ids": list({each.email_id for each in entries})})
    return {row.id: row.accepted_at for row in rows}


def _marked(entry: Entry, accepted: Mapping[UUID, datetime], late_after: timedelta) -> Entry:
    """The moment of acceptance counts in whole seconds, as a reporter may tell no more."""
    floor = entry.received_at - late_after
    if entry.email_id in accepted:
        floor = max(floor, accepted[entry.email_id].replace(microsecond=0))
    if entry.timestamp >= floor or entry.timestamp == entry.received_at:
        return entry
    return replace(entry, event_data=json.dumps({**json.loads(entry.event_data), "late": True}))


def _outcome(entry: Entry, new: set[bytes], known: Iterable[UUID]) -> Outcome:
    """Of those that are the same event only the first is stored."""
    if entry.dedupe_key in new:
        new.remove(entry.dedupe_key)
        return "stored"
    return "duplicate" if entry.email_id in known else "unknown"
