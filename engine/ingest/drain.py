"""Draining spools: their entries become events and consent changes, each in effect once.

It is safe to repeat and to kill at any moment: a file is removed when everything in it is committed, an event is
stored once by its key, and of a contact's consent changes the latest wins. A batch is a transaction, which the caller's
`run` opens (rule 8 of docs/architecture.md).
"""

import errno
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
from engine import bell, quarantine
from engine.delivery import early_events
from engine.engagement import consent
from engine.ingest import records, reports, spool
from engine.ingest.spool import Spool
from engine.tracking import events
from engine.tracking.events import Entry
from errors import NotFound, Unavailable
from models.session import is_invalid_input

log = logging.getLogger(__name__)

T = TypeVar("T")

_gate = threading.Lock()  # one drain at a time in a process: file locks do not exclude its threads


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

    Consent changes come before hits. A line that is corrupt or cannot be applied is moved to a file of its own and
    logged; a torn tail was never answered and is dropped. A file that cannot be drained stops no other. Raises
    Unavailable when the database becomes unavailable.
    """
    with _gate, closing(_files(folder, own)) as files:
        return sum(_drain_or_report(file, run, now) for file in files)


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
            except Exception as error:  # a change that cannot be applied must not block sending for ever
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


def _drain_or_report(file: spool.File, run: Run, now: datetime) -> int:
    """Drain a file. One that fails for a reason of its own goes into quarantine, otherwise it stays."""
    try:
        return _drain(file, run, now)
    except Unavailable:
        raise
    except OSError as error:
        if error.errno == errno.EIO:
            file.set_aside("cannot be read")
        else:  # such as a full disk
            quarantine.report(file.path, f"cannot be drained: {type(error).__name__}")
    except Exception as error:  # it must not stop the drain of the others
        log.error("spool_drain_failed file=%s error=%s", file.path.name, type(error).__name__, exc_info=error)
        if is_invalid_input(error):
            file.set_aside(f"cannot be drained: {type(error).__name__}")
    return 0


def _drain(file: spool.File, run: Run, now: datetime) -> int:
    events_stored, lines_corrupt, is_torn = 0, 0, False
    for content in file.read():
        is_late_marked = file.path.suffix == spool.REPORTS_SUFFIX
        entries = _marked_late(content.entries, run) if is_late_marked else content.entries
        corrupt = [*content.corrupt, *_store(entries, run, now)]
        file.save_corrupt(corrupt)
        lines_corrupt += len(corrupt)
        events_stored += len(entries)
        is_torn = content.is_torn
    if lines_corrupt:
        log.error("spool_corrupt lines=%d file=%s", lines_corrupt, file.path.name)
    file.remove()
    if file.is_orphan:
        log.info("spool_drained events=%d torn=%s", events_stored, is_torn)
    return events_stored


def _store(entries: Sequence[Entry], run: Run, now: datetime) -> list[bytes]:
    """Store events and apply consent changes; return the lines of the changes that can never be applied."""
    refused: list[bytes] = []
    for is_consent, group in groupby(entries, key=lambda entry: entry.event_type in consent.KINDS):
        if is_consent:
            refused += [records.encoded(entry).rstrip() for entry in group if not _is_applied(entry, run)]
        elif Stored.UNAVAILABLE in store(list(group), run=run, now=now):
            raise Unavailable("database: not reachable")
    return refused


def _is_applied(change: Entry, run: Run) -> bool:
    """Apply a consent change; return False if it is itself at fault."""
    try:
        _apply(change, run)
    except Unavailable:
        raise
    except Exception as error:
        if not is_invalid_input(error):
            raise
        log.error("consent_change_failed kind=%s", change.event_type, exc_info=error)
        return False
    return True


def _marked_late(entries: Sequence[Entry], run: Run) -> Sequence[Entry]:
    late_after = timedelta(days=settings.current().track_late_days)
    return run(lambda session: reports.marked(session, entries, late_after=late_after))


def _apply(change: Entry, run: Run) -> None:
    try:
        run(lambda session: consent.apply_pending(session, change))
    except NotFound:
        log.warning("consent_of_unknown_email kind=%s", change.event_type)
    bell.ring("events")
