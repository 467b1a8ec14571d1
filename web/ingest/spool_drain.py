"""Taking in what was spooled: this process's own several times a second, and what dead processes left."""

import logging
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from time import sleep

import settings
from engine import bell, heartbeats
from engine.engagement import consent
from engine.ingest import reports, spool
from engine.ingest.spool import Spool
from engine.tracking.events import Entry
from errors import NotFound, Unavailable
from models.session import retrying, transaction
from web.ingest import writer

log = logging.getLogger(__name__)

BATCH = 500
TAKE_S = 0.1
PROBE_S = 0.25
_gate = threading.Lock()  # within a process, one at a time


def take_in(folder: Path, own: Sequence[Spool] = ()) -> int:
    """Store what the files hold and remove them; how many events they held. Unavailable when the ledger goes away.

    Safe to run twice and to be killed at any moment: a file goes when all of it is in the ledger, where each event is
    stored once, and a reader's last word stays the last. Readers' wishes come before hits. A cut-off tail was never
    answered for; a spoilt line stays in a file beside, and the log says so.
    """
    with _gate, closing(_files(folder, own)) as files:
        return sum(_take(file) for file in files)


def waiting(folder: Path) -> dict[Path, int]:
    """The files in `folder` and their bytes."""
    return {path: path.stat().st_size for path in spool.paths(folder)}


def _files(folder: Path, own: Sequence[Spool]) -> Generator[spool.File, None, None]:
    for suffix in spool.SUFFIXES:
        for each in own:
            if each.suffix == suffix:
                with each.sealed() as files:
                    yield from files
        with closing(spool.orphans(folder, suffix)) as orphans:
            yield from orphans


def _take(file: spool.File) -> int:
    content = file.read()
    for start in range(0, len(content.entries), BATCH):
        batch = content.entries[start : start + BATCH]
        _store(_marked(batch) if file.path.suffix == spool.REPORTS_SUFFIX else batch)
    if content.spoilt:
        log.error("spool_spoilt lines=%d file=%s", len(content.spoilt), file.path.name)
        file.keep_spoilt(content.spoilt)
    file.remove()
    if file.is_left:
        log.info("spool_taken_in events=%d torn=%s", len(content.entries), content.is_torn)
    return len(content.entries)


def _store(entries: Sequence[Entry]) -> None:
    for is_wish, some in groupby(entries, key=lambda entry: entry.event_type in consent.WISHES):
        if is_wish:
            for entry in some:
                _grant(entry)
        elif writer.Fate.AWAY in writer.stored(list(some)):
            raise Unavailable("database: not reachable")


def _marked(told: Sequence[Entry]) -> Sequence[Entry]:
    late_after = timedelta(days=settings.current().track_late_days)
    with transaction() as session:
        return reports.marked(session, told, late_after=late_after)


def _grant(wished: Entry) -> None:
    try:
        retrying(lambda session: consent.catch_up(session, wished))
    except NotFound:
        log.warning("wish_of_nobody kind=%s", wished.event_type)
    bell.ring("events")


class Taker:
    """A thread that takes in this process's spools, and then ends until it is woken again."""

    def __init__(self, own: Sequence[Spool], folder: Path) -> None:
        self.is_away = False
        self._own = own
        self._folder = folder
        self._guard = threading.Lock()
        self._is_wanted = self._is_running = self._is_told = False

    def wake(self) -> None:
        """Something was spooled: take it in, or ask for the ledger until it is there."""
        if self._is_wanted:
            return  # a round that has not begun will see it
        with self._guard:
            self._is_wanted = True
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="spool", daemon=True).start()

    def look(self) -> None:
        """Wake, if there is any file."""
        if spool.paths(self._folder):
            self.wake()

    def _run(self) -> None:
        while self._goes_on():
            sleep(PROBE_S if self.is_away else TAKE_S)
            try:
                self._once()
            except Unavailable:
                self._is_wanted = self.is_away = True
                if not self._is_told:
                    self._is_told = True
                    log.warning("ledger_away hits=spooled")
            except Exception as error:  # the thread must outlive what nobody foresaw
                log.error("spool_failed error=%s", type(error).__name__, exc_info=error)
                sleep(10 * PROBE_S)
                self._is_wanted = True

    def _goes_on(self) -> bool:
        with self._guard:
            self._is_running, self._is_wanted = self._is_wanted, False
            return self._is_running

    def _once(self) -> None:
        if self.is_away:  # no file after the other, while nobody takes them
            with transaction() as session:
                heartbeats.ages(session)
            self.is_away = False  # whoever comes now need not wait until all this is taken in
        for each in self._own:
            each.seal()
        count = take_in(self._folder, self._own)
        if any(each.size_bytes for each in self._own):
            self._is_wanted = True
        if self._is_told:
            self._is_told = False
            log.info("ledger_back")
            log.info("spool_taken_in events=%d", count)
