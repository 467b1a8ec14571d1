"""What a reader's mail program or browser tells us: kept before it is answered, and never in the reader's way.

Kept in the ledger; while that is away, in the spool of this process (rule R25). A hit that waited in vain goes into the
spool as well: its key makes it one event, wherever it arrives first.
"""

import logging
from collections.abc import Sequence
from time import monotonic

from engine import clock
from engine.tracking import events
from engine.tracking.events import Arrival, Entry
from engine.tracking.spool import Spool
from settings import Settings
from web.spooled import Taker
from web.together import Place, Together
from web.writer import Fate, Writer

log = logging.getLogger(__name__)

WAIT_S = 1.0  # for the ledger, before a hit goes into the spool
LOOK_S = 10.0  # between two looks for what dead processes left


class Arrivals:
    """The door of one process for hits; shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        self.spool = Spool(settings.spool_dir, settings.spool_limit_bytes)
        self.unsaved = 0
        self._writer = Writer()
        self._spooling: Together[Entry, bool] = Together(self._spool)
        self._taker = Taker(self.spool, settings.spool_dir, self._back)
        self._is_away = False
        self._look_at = 0.0

    def keep(self, arrival: Arrival) -> None:
        """Keep the event for good, wherever that is possible now; what could not be is counted and logged."""
        entry = events.entry(arrival, now=clock.now())
        if not self._is_away:
            fate = self._writer.store(entry, within_s=WAIT_S)
            if fate is Fate.STORED:
                return
            if fate is Fate.REFUSED:
                self._miss(1, "refused")
                return
            self._go_away()
        self.put_by(entry)

    def put_by(self, entry: Entry) -> bool:
        """Put it into the spool, to be taken in as soon as the ledger is there; whether it is safe on disk."""
        place = self._spooling.ask(entry)
        self._taker.wake()
        return place.answer is True

    def look(self) -> None:
        """Now and then, have taken in what processes left that are no more."""
        if monotonic() > self._look_at:
            self._look_at = monotonic() + LOOK_S
            self._taker.look()

    def _go_away(self) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("ledger_away hits=spooled")

    def _back(self) -> None:
        """The ledger answered. As long as the writer hangs on a connection of before, hits go on into the spool."""
        if self._is_away and not self._writer.is_busy:
            self._is_away = False
            log.info("ledger_back")

    def _spool(self, places: Sequence[Place[Entry, bool]]) -> None:
        try:
            self.spool.add([place.asked for place in places])
        except OSError as error:
            self._miss(len(places), type(error).__name__)
            return
        for place in places:
            place.answer = True

    def _miss(self, count: int, why: str) -> None:
        self.unsaved += count
        log.error("events_unsaved count=%d in_all=%d why=%s", count, self.unsaved, why)
