"""The thread that drains this process's spools several times a second, and the files of dead processes."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from time import sleep

from engine import clock, heartbeats
from engine.ingest import drain, spool
from engine.ingest.spool import Spool
from errors import Unavailable
from models.session import retrying, transaction

log = logging.getLogger(__name__)

DRAIN_EVERY_S = 0.1
PROBE_EVERY_S = 0.25


class SpoolDrain:
    """Runs while there is anything to drain; while the database is unavailable it probes for it."""

    def __init__(self, own: Sequence[Spool], folder: Path) -> None:
        self.is_database_down = False
        self._own = own
        self._folder = folder
        self._guard = threading.Lock()
        self._is_wanted = self._is_running = self._is_outage_logged = False

    def wake(self) -> None:
        """Drain soon; to be called after something was spooled."""
        if self._is_wanted:
            return  # a round that has not begun will drain it
        with self._guard:
            self._is_wanted = True
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="spool-drain", daemon=True).start()

    def wake_if_any(self) -> None:
        """Wake if there is any file in the folder."""
        if spool.paths(self._folder):
            self.wake()

    def _run(self) -> None:
        while self._goes_on():
            sleep(PROBE_EVERY_S if self.is_database_down else DRAIN_EVERY_S)
            try:
                self._round()
            except Unavailable:
                self._is_wanted = self.is_database_down = True
                if not self._is_outage_logged:
                    self._is_outage_logged = True
                    log.warning("database_unavailable hits=spooled")
            except Exception as error:  # the thread must survive an unforeseen error
                log.error("spool_drain_failed error=%s", type(error).__name__, exc_info=error)
                sleep(10 * PROBE_EVERY_S)
                self._is_wanted = True

    def _goes_on(self) -> bool:
        with self._guard:
            self._is_running, self._is_wanted = self._is_wanted, False
            return self._is_running

    def _round(self) -> None:
        if self.is_database_down:  # probe it, instead of failing with each file
            with transaction() as session:
                heartbeats.ages(session)
            self.is_database_down = False  # requests need not wait until everything is drained
        for each in self._own:
            each.seal()
        count = drain.spools(self._folder, self._own, run=retrying, now=clock.now())
        if any(each.size_bytes for each in self._own):
            self._is_wanted = True
        if self._is_outage_logged:
            self._is_outage_logged = False
            log.info("database_available")
            log.info("spool_drained events=%d", count)
