"""What a reader's mail program or browser tells us: kept before it is answered, and never in the reader's way.

Kept in the journal of this process first, and taken into the ledger by a thread, many at once (rule R25,
docs/decisions/0009): so no reader ever waits for the database.
"""

import logging
from collections.abc import Sequence
from time import monotonic

from engine import clock
from engine.tracking import events
from engine.tracking.events import Arrival, Entry
from engine.tracking.spool import REPORTS_SUFFIX, WISHES_SUFFIX, Spool
from errors import Unavailable
from settings import Settings
from web import writer
from web.journal import Journal
from web.spooled import Taker

log = logging.getLogger(__name__)

LOOK_S = 2.0  # between two looks for what dead processes left


class Arrivals:
    """The door of one process for hits; shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        self._spool = Spool(settings.spool_dir, settings.spool_limit_bytes)
        self._wishes = Spool(settings.spool_dir, settings.spool_limit_bytes, WISHES_SUFFIX)
        self._reports = Spool(settings.spool_dir, settings.spool_limit_bytes, REPORTS_SUFFIX)
        self.unsaved = 0
        self._journal = Journal(self._spool)
        self._taker = Taker((self._wishes, self._spool, self._reports), settings.spool_dir)
        self._look_at = 0.0

    @property
    def size_bytes(self) -> int:
        """How much waits here to be taken in."""
        return self._wishes.size_bytes + self._spool.size_bytes + self._reports.size_bytes

    def keep(self, arrival: Arrival) -> None:
        """Keep the event for good, wherever that is possible now; what could not be is counted and logged."""
        entry = events.entry(arrival, now=clock.now())
        is_safe = self._journal.keep(entry)
        self._taker.wake()
        if not is_safe and not self._store(entry):
            self.unsaved += 1
            log.error("events_unsaved in_all=%d", self.unsaved)

    def put_by(self, wished: Entry) -> None:
        """Keep what a reader asks for until the ledger is back; Unavailable when the disk does not take it either."""
        self._put_by(self._wishes, [wished])

    def put_by_reports(self, told: Sequence[Entry]) -> None:
        """As `put_by`, of what others report."""
        if told:
            self._put_by(self._reports, told)

    def _put_by(self, where: Spool, entries: Sequence[Entry]) -> None:
        try:
            where.add(entries)
        except OSError as error:
            log.error("spool_failing entries=%d error=%s", len(entries), type(error).__name__)
            raise Unavailable("database: not reachable, and the spool does not take it") from error
        self._taker.wake()

    def look(self) -> None:
        """Now and then, have taken in what processes left that are no more."""
        if monotonic() > self._look_at:
            self._look_at = monotonic() + LOOK_S
            self._taker.look()

    def _store(self, entry: Entry) -> bool:
        """The disk fails: straight into the ledger, unless that is known to be away as well."""
        return not self._taker.is_away and writer.stored([entry]) == [writer.Fate.STORED]
