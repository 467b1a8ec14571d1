"""What a reader's mail program or browser tells us: kept before it is answered, and never in the reader's way.

Kept in the journal of this process first, and taken into the ledger by a thread, many at once (rule R25,
docs/decisions/0009): so no reader ever waits for the database.
"""

import logging
from time import monotonic

from engine import clock
from engine.tracking import events
from engine.tracking.events import Arrival, Entry
from engine.tracking.spool import Spool
from settings import Settings
from web import writer
from web.journal import Journal
from web.spooled import Taker

log = logging.getLogger(__name__)

LOOK_S = 2.0  # between two looks for what dead processes left


class Arrivals:
    """The door of one process for hits; shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        self.spool = Spool(settings.spool_dir, settings.spool_limit_bytes)
        self.unsaved = 0
        self._journal = Journal(self.spool)
        self._taker = Taker(self.spool, settings.spool_dir)
        self._look_at = 0.0

    def keep(self, arrival: Arrival) -> None:
        """Keep the event for good, wherever that is possible now; what could not be is counted and logged."""
        entry = events.entry(arrival, now=clock.now())
        if not self.put_by(entry) and not self._store(entry):
            self.unsaved += 1
            log.error("events_unsaved in_all=%d", self.unsaved)

    def put_by(self, entry: Entry) -> bool:
        """Put it into the journal, to be taken in as soon as the ledger is there; whether it is safe on disk."""
        is_safe = self._journal.keep(entry)
        self._taker.wake()
        return is_safe

    def look(self) -> None:
        """Now and then, have taken in what processes left that are no more."""
        if monotonic() > self._look_at:
            self._look_at = monotonic() + LOOK_S
            self._taker.look()

    def _store(self, entry: Entry) -> bool:
        """The disk fails: straight into the ledger, unless that is known to be away as well."""
        return not self._taker.is_away and writer.stored([entry]) == [writer.Fate.STORED]
