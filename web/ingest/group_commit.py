"""Durable answers to readers: events are synced to this process's spool, many by one sync, and then answered.

A reader never waits for the database: a thread drains the spool into it (rule R25, docs/decisions/0009).
"""

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

from flask import Flask, current_app

from engine import clock
from engine.ingest import drain
from engine.ingest.spool import CONSENT_SUFFIX, REPORTS_SUFFIX, Spool
from engine.tracking import events
from engine.tracking.events import Entry, IncomingEvent
from errors import Unavailable
from models.session import Session, retrying
from settings import Settings
from web.ingest.deferred_response import DeferredResponse
from web.ingest.email_limit import EmailLimit
from web.ingest.gathering import Gathering
from web.ingest.spool_drain import SpoolDrain

log = logging.getLogger(__name__)

T = TypeVar("T")

ORPHANS_EVERY_S = 2.0
_NAME = "cadencia-ingest"

# The pause that lets more entries join when the last commit had more than one: a sync costs 60 µs of CPU, so 7 µs each
# of nine hits (measured, 32 connections).
GATHER_S = 0.001


class Ingest:
    """Storing the events of one process; shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        self._hits = Spool(settings.spool_dir, settings.spool_limit_bytes)
        self._consent = Spool(settings.spool_dir, settings.spool_limit_bytes, CONSENT_SUFFIX)
        self._reports = Spool(settings.spool_dir, settings.spool_limit_bytes, REPORTS_SUFFIX)
        self.unsaved = 0
        self.email_limit = EmailLimit()
        self._group_commit = Gathering(self._store, gather_s=GATHER_S)
        self._drain = SpoolDrain((self._consent, self._hits, self._reports), settings.spool_dir)
        self._next_look = 0.0

    @property
    def size_bytes(self) -> int:
        """Return the number of bytes in this process's spools that are not drained yet."""
        return self._consent.size_bytes + self._hits.size_bytes + self._reports.size_bytes

    def store(self, hit: IncomingEvent, response: DeferredResponse | None = None) -> None:
        """Store a hit on disk, or in the database when the disk fails; if both fail, it is counted and logged.

        It is stored when `response` is sent, or without one when this returns. A hit beyond the limit of its e-mail is
        answered and not stored.
        """
        if self.email_limit.is_exceeded(hit.email_id):
            return
        entry = events.prepare(hit, now=clock.now())
        if response is None:
            self._store([entry])
        else:
            response.defer()
            self._group_commit.add(entry, response.send)

    def run(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction; raise Unavailable at once while the database is known to be unavailable.

        A connection attempt may take five seconds, and all threads would be spent on waiting for it.
        """
        if self._drain.is_database_down:
            raise Unavailable("database: not reachable")
        return retrying(work)

    def spool_consent(self, change: Entry) -> None:
        """Spool a pending consent change; Unavailable when the disk fails, too."""
        self._spool_or_raise(self._consent, [change])

    def spool_reports(self, entries: Sequence[Entry]) -> None:
        """Spool events that others reported; Unavailable when the disk fails, too."""
        if entries:
            self._spool_or_raise(self._reports, entries)

    def drain_orphans(self) -> None:
        """Wake the drain for files that dead processes left; looks for them every two seconds at most."""
        if monotonic() > self._next_look:
            self._next_look = monotonic() + ORPHANS_EVERY_S
            self._drain.wake_if_any()

    def _spool_or_raise(self, spool: Spool, entries: Sequence[Entry]) -> None:
        if not self._is_spooled(spool, entries):
            raise Unavailable("database: not reachable, and the spool does not take it")

    def _store(self, entries: Sequence[Entry]) -> None:
        unsaved = 0 if self._is_spooled(self._hits, entries) else self._stored_directly(entries)
        if unsaved:
            self.unsaved += unsaved
            log.error("events_unsaved in_all=%d", self.unsaved)

    def _is_spooled(self, spool: Spool, entries: Sequence[Entry]) -> bool:
        try:
            spool.add(entries)
        except Exception as error:  # noqa: BLE001  # whatever it is, readers wait for their answers
            log.error("spool_write_failed entries=%d error=%s", len(entries), type(error).__name__)
            return False
        self._drain.wake()
        return True

    def _stored_directly(self, entries: Sequence[Entry]) -> int:
        """Store these in the database, unless it is known to be unavailable; return how many were not stored."""
        if self._drain.is_database_down:
            return len(entries)
        outcomes = drain.store(entries, run=retrying, now=clock.now())
        return sum(outcome is not drain.Stored.YES for outcome in outcomes)


def install(app: Flask, settings: Settings) -> None:
    """Attach the storing of events to `app`."""
    app.extensions[_NAME] = Ingest(settings)


def of(app: Flask) -> Ingest:
    """Return the storing of events of `app`."""
    ingest: Ingest = app.extensions[_NAME]
    return ingest


def current() -> Ingest:
    """Return the storing of events of the application that handles this request."""
    return of(current_app)
