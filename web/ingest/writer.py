"""Storing events by one statement, and telling what became of each."""

import logging
from collections.abc import Sequence
from enum import Enum

from engine import bell, clock
from engine.delivery import early_events
from engine.tracking.events import Entry
from errors import Unavailable
from models.session import is_refusal, statement

log = logging.getLogger(__name__)


class Fate(Enum):
    """What became of an entry."""

    STORED = "stored"
    AWAY = "away"  # not now, and nobody knows whether it was stored
    REFUSED = "refused"  # the ledger will not have it, now or ever


def stored(entries: Sequence[Entry]) -> list[Fate]:
    """Store these, in one statement unless the ledger refuses one of them; what became of each."""
    try:
        _store(entries)
    except Unavailable:
        return [Fate.AWAY] * len(entries)
    except Exception as error:  # noqa: BLE001  # whose fault it is, each one's own transaction tells
        if len(entries) > 1:
            return [fate for entry in entries for fate in stored([entry])]
        if not is_refusal(error):
            log.error("event_store_failing type=%s error=%s", entries[0].event_type, type(error).__name__)
            return [Fate.AWAY]
        log.error("event_refused type=%s error=%s", entries[0].event_type, type(error).__name__)
        return [Fate.REFUSED]
    bell.ring("events")
    return [Fate.STORED] * len(entries)


def _store(entries: Sequence[Entry]) -> None:
    # Each statement is a transaction of its own; that of an early event has two more, each safe to run alone.
    with statement() as session:
        early_events.store(session, entries, now=clock.now())
