"""The thread that stores events, all that wait in one statement; a caller waits for it, but only so long.

Another thread's work can be left alone when the database hangs: whoever reads a mail must not hang with it.
"""

import logging
import threading
from collections.abc import Sequence
from enum import Enum
from queue import Empty, SimpleQueue
from time import sleep

from engine import bell, clock
from engine.tracking import events
from engine.tracking.events import Entry
from errors import Unavailable
from models.session import statement

log = logging.getLogger(__name__)

TOGETHER_MAX = 500
# How long to wait for more when others came at the same moment the last time: a statement for 16 hits costs 579 µs of
# CPU here and 600 in PostgreSQL, one for a single hit 470 and 300 (measured).
GATHER_S = 0.002


class Fate(Enum):
    """What became of an entry."""

    STORED = "stored"
    AWAY = "away"  # nobody knows whether it was stored
    REFUSED = "refused"  # the ledger will not have it, now or ever


class _Place:
    __slots__ = ("entry", "fate", "turn")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.fate = Fate.AWAY
        self.turn = threading.Lock()
        self.turn.acquire()


class Writer:
    """One thread, made at the first call (so after any fork)."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Place] = SimpleQueue()
        self._gate = threading.Lock()
        self._is_running = False
        self.is_busy = False

    def store(self, entry: Entry, *, within_s: float) -> Fate:
        """Store it, with those of other calls; AWAY when that is not certain in time. Safe to store again elsewhere."""
        place = _Place(entry)
        self._queue.put(place)
        if not self._is_running:
            self._start()
        return place.fate if place.turn.acquire(timeout=within_s) else Fate.AWAY

    def _start(self) -> None:
        with self._gate:
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="hits", daemon=True).start()

    def _run(self) -> None:
        gathered = 1
        while True:
            places = [self._queue.get()]
            self.is_busy = True
            if gathered > 1:
                sleep(GATHER_S)
            try:
                while len(places) < TOGETHER_MAX:
                    places.append(self._queue.get_nowait())
            except Empty:
                pass
            gathered = len(places)
            for place, fate in zip(places, stored([each.entry for each in places]), strict=True):
                place.fate = fate
                place.turn.release()
            self.is_busy = False


def stored(entries: Sequence[Entry]) -> list[Fate]:
    """Store these, in one statement unless the ledger refuses one of them; what became of each."""
    try:
        _store(entries)
    except Unavailable:
        return [Fate.AWAY] * len(entries)
    except Exception as error:  # noqa: BLE001  # whose fault it is, each one's own transaction tells
        if len(entries) > 1:
            return [fate for entry in entries for fate in stored([entry])]
        log.error("event_refused type=%s error=%s", entries[0].event_type, type(error).__name__)
        return [Fate.REFUSED]
    bell.ring("events")
    return [Fate.STORED] * len(entries)


def _store(entries: Sequence[Entry]) -> None:
    # Each statement is a transaction of its own; that of an early event has two more, each safe to run alone.
    with statement() as session:
        events.store(session, entries, now=clock.now())
