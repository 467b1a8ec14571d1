"""Draining spools: their entries become events and consent changes, each in effect once.

It is safe to repeat and to kill at any moment: a file is removed when everything in it is committed, an event is
stored once by its key, and of a contact's consent changes the latest wins. A batch is a transaction, which the caller's
`run` opens (rule 8 of docs/architecture.md).
"""

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

import settings
from engine import bell
from engine.delivery import early_events
from engine.engagement import consent
from engine.ingest import reports, spool
from engine.ingest.spool import Spool
from engine.tracking import events
from engine.tracking.events import Entry
from errors import NotFound, Unavailable
from models.session import is_invalid_input

log = logging.getLogger(__name__)

BATCH = 500
T = TypeVar("T")

_gate = threading.Lock()  # one drain at a time in a process: file locks do not hold between its threads


class Run(Protocol):
    """Run `work` in a transaction of its own, as `models.session.retrying` does."""

    def __call__(self, work: Callable[[Session], T], /) -> T:
        """Return what `work` returns, once it is committed."""
        ...


class Stored(Enum):
    """The outcome of storing an entry."""

    YES = "yes"
    UNAVAILABLE = "unavailable"  # not now; it may have been stored
    REFUSED = "refused"  # the database will never accept it


def spools(folder: Path, own: Sequence[Spool] = (), *, run: Run, now: datetime) -> int:
    """Drain the sealed files of `own` and those that dead processes left in `folder`; return the number of entries.

    Consent changes come before hits. A corrupt line is moved to a file of its own and logged; a torn tail was never
    answered and is dropped. Raises Unavailable when the database becomes unavailable.
    """
    with _gate, closing(_files(folder, own)) as files:
        return sum(_drain(file, run, now) for file in files)


def consent_changes(folder: Path, *, run: Run) -> None:
    """Apply every consent change in `folder`, also those in files of living processes.

    Their owners apply them once more when they drain the files, which changes nothing. Raises Unavailable when the
    database is unavailable; a change that fails otherwise is logged, and stays in its file.
    """
    for path in spool.paths(folder, spool.CONSENT_SUFFIXES):
        for change in spool.peek(path):
            try:
                _apply(change, run)
            except Unavailable:
                raise
            except Exception as error:  # one that cannot be applied must not block sending for ever
                log.error("consent_change_failed kind=%s", change.event_type, exc_info=error)


def store(entries: Sequence[Entry], *, run: Run, now: datetime) -> list[Stored]:
    """Store these events together, or one by one to find the faulty one; return the outcome of each."""
    try:
        _insert(entries, run, now)
    except Unavailable:
        return [Stored.UNAVAILABLE] * len(entries)
    except Exception as error:  # noqa: BLE001  # retried one by one below, so that one entry's fault costs no other
        if len(entries) > 1:
            return [outcome for entry in entries for outcome in store([entry], run=run, now=now)]
        return [_failure(entries[0], error)]
    bell.ring("events")
    return [Stored.YES] * len(entries)


def _insert(entries: Sequence[Entry], run: Run, now: datetime) -> None:
    """Insert them as `early_events.store` does, but hold no lock while `admit` waits for a settlement."""
    by_key = {each.dedupe_key: each for each in reversed(entries)}
    if len(run(lambda session: events.insert(session, by_key))) < len(by_key):
        run(lambda session: early_events.admit(session, [each.email_id for each in entries], now=now))
        run(lambda session: events.insert(session, by_key))


def _failure(entry: Entry, error: Exception) -> Stored:
    if is_invalid_input(error):
        log.error("event_refused type=%s error=%s", entry.event_type, type(error).__name__)
        return Stored.REFUSED
    log.error("event_store_failed type=%s error=%s", entry.event_type, type(error).__name__)
    return Stored.UNAVAILABLE


def _files(folder: Path, own: Sequence[Spool]) -> Generator[spool.File, None, None]:
    for suffix in spool.SUFFIXES:
        for each in own:
            if each.suffix == suffix:
                with each.sealed() as files:
                    yield from files
        with closing(spool.orphans(folder, suffix)) as orphans:
            yield from orphans


def _drain(file: spool.File, run: Run, now: datetime) -> int:
    content = file.read()
    for start in range(0, len(content.entries), BATCH):
        batch = content.entries[start : start + BATCH]
        _store(_marked_late(batch, run) if file.path.suffix == spool.REPORTS_SUFFIX else batch, run, now)
    if content.corrupt:
        log.error("spool_corrupt lines=%d file=%s", len(content.corrupt), file.path.name)
        file.save_corrupt(content.corrupt)
    file.remove()
    if file.is_orphan:
        log.info("spool_drained events=%d torn=%s", len(content.entries), content.is_torn)
    return len(content.entries)


def _store(entries: Sequence[Entry], run: Run, now: datetime) -> None:
    for is_consent, group in groupby(entries, key=lambda entry: entry.event_type in consent.KINDS):
        if is_consent:
            for entry in group:
                _apply(entry, run)
        elif Stored.UNAVAILABLE in store(list(group), run=run, now=now):
            raise Unavailable("database: not reachable")


def _marked_late(entries: Sequence[Entry], run: Run) -> Sequence[Entry]:
    late_after = timedelta(days=settings.current().track_late_days)
    return run(lambda session: reports.marked(session, entries, late_after=late_after))


def _apply(change: Entry, run: Run) -> None:
    try:
        run(lambda session: consent.apply_pending(session, change))
    except NotFound:
        log.warning("consent_of_unknown_email kind=%s", change.event_type)
    bell.ring("events")
