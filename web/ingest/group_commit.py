"""The journal of a process: what comes at the same moment is kept at once, by a thread of its own that then tells so.

Nobody waits for it in a thread: sixteen that are woken at once queue up for the interpreter, at 90 µs of CPU each, and
looking again after a rest still costs a third of that (measured; docs/decisions/0009).
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import sleep

from engine.tracking.events import Entry

log = logging.getLogger(__name__)

# How long to wait for more when others came at the same moment the last time: a flush costs 60 µs of CPU here, so that
# of nine hits (measured, 32 connections) 7 µs each.
GATHER_S = 0.001


class Journal:
    """Shared by the threads of a process; `keep` is called with the entries and never raises."""

    def __init__(self, keep: Callable[[list[Entry]], None]) -> None:
        self._keep = keep
        self._waiting: SimpleQueue[tuple[Entry, Callable[[], None]]] = SimpleQueue()
        self._guard = threading.Lock()
        self._is_running = False

    def add(self, entry: Entry, then: Callable[[], None]) -> None:
        """Have it kept soon, and `then` called."""
        self._waiting.put((entry, then))
        if not self._is_running:
            self._start()

    def _start(self) -> None:
        with self._guard:
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="journal", daemon=True).start()

    def _run(self) -> None:
        gathered = 1
        try:
            while True:
                gathered = self._round(gathered)
        finally:
            self._is_running = False  # the next one that comes starts it anew

    def _round(self, gathered: int) -> int:
        places = [self._waiting.get()]
        if gathered > 1:
            sleep(GATHER_S)
        places += [self._waiting.get() for _ in range(self._waiting.qsize())]
        self._keep([entry for entry, _ in places])
        for _, then in places:
            then()
        return len(places)
