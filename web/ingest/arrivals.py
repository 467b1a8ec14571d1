"""What a reader's mail program or browser tells us: kept before it is answered, and never in the reader's way.

Kept in the journal of this process first, and taken into the ledger by a thread, many at once (rule R25,
docs/decisions/0009): so no reader ever waits for the database.
"""

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

from engine import clock
from engine.ingest.spool import REPORTS_SUFFIX, WISHES_SUFFIX, Spool
from engine.tracking import events
from engine.tracking.events import Arrival, Entry
from errors import Unavailable
from models.session import Session, retrying
from settings import Settings
from web.ingest import writer
from web.ingest.deferred_response import Held
from web.ingest.group_commit import Journal
from web.ingest.spool_drain import Taker

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_S = 2.0  # between two looks for what dead processes left


class Arrivals:
    """The door of one process for hits; shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        self._spool = Spool(settings.spool_dir, settings.spool_limit_bytes)
        self._wishes = Spool(settings.spool_dir, settings.spool_limit_bytes, WISHES_SUFFIX)
        self._reports = Spool(settings.spool_dir, settings.spool_limit_bytes, REPORTS_SUFFIX)
        self.unsaved = 0
        self._journal = Journal(self._keep)
        self._taker = Taker((self._wishes, self._spool, self._reports), settings.spool_dir)
        self._look_at = 0.0

    @property
    def size_bytes(self) -> int:
        """How much waits here to be taken in."""
        return self._wishes.size_bytes + self._spool.size_bytes + self._reports.size_bytes

    def keep(self, arrival: Arrival, held: Held | None = None) -> None:
        """Keep the event for good, wherever that is possible now; what could not be is counted and logged.

        It is done when this returns, or, where the answer can be held, when that goes out.
        """
        entry = events.entry(arrival, now=clock.now())
        if held is None:
            self._keep([entry])
        else:
            held.hold()
            self._journal.add(entry, held.release)

    def reach(self, work: Callable[[Session], T]) -> T:
        """What `work` gives in a transaction; Unavailable, and at once while the ledger is known to be away.

        It may take five seconds to find that out, and the threads that others need would all be spent on it.
        """
        if self._taker.is_away:
            raise Unavailable("database: not reachable")
        return retrying(work)

    def put_by(self, wished: Entry) -> None:
        """Keep what a reader asks for until the ledger is back; Unavailable when the disk does not take it either."""
        self._put_by(self._wishes, [wished])

    def put_by_reports(self, told: Sequence[Entry]) -> None:
        """As `put_by`, of what others report."""
        if told:
            self._put_by(self._reports, told)

    def _put_by(self, where: Spool, entries: Sequence[Entry]) -> None:
        if not self._is_spooled(where, entries):
            raise Unavailable("database: not reachable, and the spool does not take it")

    def look(self) -> None:
        """Now and then, have taken in what processes left that are no more."""
        if monotonic() > self._look_at:
            self._look_at = monotonic() + LOOK_S
            self._taker.look()

    def _keep(self, entries: list[Entry]) -> None:
        lost = 0 if self._is_spooled(self._spool, entries) else self._unstored(entries)
        if lost:
            self.unsaved += lost
            log.error("events_unsaved in_all=%d", self.unsaved)

    def _is_spooled(self, where: Spool, entries: Sequence[Entry]) -> bool:
        try:
            where.add(entries)
        except Exception as error:  # noqa: BLE001  # whatever it is, readers wait for their answers
            log.error("spool_failing entries=%d error=%s", len(entries), type(error).__name__)
            return False
        self._taker.wake()
        return True

    def _unstored(self, entries: list[Entry]) -> int:
        """Straight into the ledger, as the disk fails, unless that is known to be away as well; how many it lost."""
        if self._taker.is_away:
            return len(entries)
        return sum(fate is not writer.Fate.STORED for fate in writer.stored(entries))
