"""Reported events: store those that landing pages and other systems send, and mark the late ones."""

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


def store(session: Session, entries: Sequence[Entry], *, late_after: timedelta, now: datetime) -> list[Outcome]:
    """Store the events and return the outcome of each, in the same order.

    The outcome is `unknown` for an e-mail that does not exist. Late events are marked. Commit, then ring "events".
    """
    accepted = _accepted(session, entries)
    new = early_events.store(session, [_marked(each, accepted, late_after) for each in entries], now=now)
    known = accepted.keys()
    if not all(each.dedupe_key in new or each.email_id in known for each in entries):
        known = _accepted(session, entries).keys()  # with those that `early_events` has just admitted
    return [_outcome(each, new, known) for each in entries]


def marked(session: Session, entries: Sequence[Entry], *, late_after: timedelta) -> list[Entry]:
    """Return the entries, with the late ones marked: before the e-mail's acceptance, or `late_after` before receipt."""
    accepted = _accepted(session, entries)
    return [_marked(each, accepted, late_after) for each in entries]


def _accepted(session: Session, entries: Iterable[Entry]) -> Mapping[UUID, datetime]:
    rows = session.execute(_ACCEPTED, {"ids": list({each.email_id for each in entries})})
    return {row.id: row.accepted_at for row in rows}


def _marked(entry: Entry, accepted: Mapping[UUID, datetime], late_after: timedelta) -> Entry:
    """Mark a late entry. The acceptance counts in whole seconds, as a reporter may not know it more exactly."""
    floor = entry.received_at - late_after
    if entry.email_id in accepted:
        floor = max(floor, accepted[entry.email_id].replace(microsecond=0))
    if entry.timestamp >= floor or entry.timestamp == entry.received_at:
        return entry
    return replace(entry, event_data=json.dumps({**json.loads(entry.event_data), "late": True}))


def _outcome(entry: Entry, new: set[bytes], known: Iterable[UUID]) -> Outcome:
    """Return the outcome of an entry; of equal ones, only the first is `stored`."""
    if entry.dedupe_key in new:
        new.remove(entry.dedupe_key)
        return "stored"
    return "duplicate" if entry.email_id in known else "unknown"
