"""Imports of uploaded files as workers see them: claim one, store it page by page, end it.

One import runs at a time. Its position is committed with each page, so another worker continues after a crash: it reads
the file from its beginning, and stores the pages that are missing.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import chain, islice
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from engine.audience.import_report import COUNTS, ImportReport, Page, RowFault, Stored
from engine.engagement import file_imports
from engine.engagement.uploads import content
from models import FileImport, FileImportFault, ids

FAULTS_MAX = 10_000  # kept of one import; the counts have no limit
LEASE_S = 30.0  # a page takes less than a second, one of the widest files some seconds
ATTEMPTS_MAX = 10  # claims without a page between them: the file ends the workers, or is beyond them

# Only one import is claimed at a time, so that a worker is free for other work; that with the least left is the first.
IS_WAITING = """
    SELECT id FROM file_imports
     WHERE state = 'running' AND NOT EXISTS (
        SELECT 1 FROM file_imports WHERE state = 'running' AND leased_until > clock_timestamp())
"""
_CLAIM = text(f"""
UPDATE file_imports
   SET claim = :claim, leased_until = clock_timestamp() + make_interval(secs => :lease_s), attempts = attempts + 1
 WHERE id = ({IS_WAITING} ORDER BY size_bytes - read_bytes, id LIMIT 1 FOR UPDATE SKIP LOCKED) AND state = 'running'
RETURNING id, claim, mapping, encoding, pages, counts, reported, attempts
""")  # noqa: S608  # constants only
_WAITING = text(f"SELECT EXISTS ({IS_WAITING})")
_OTHERS = text("SELECT EXISTS (SELECT 1 FROM file_imports WHERE state = 'running' AND id <> :id)")


@dataclass(frozen=True, slots=True)
class Claimed:
    """An import that this worker may store, with its position: the pages, counts and faults that are committed."""

    id: UUID
    claim: UUID
    mapping: list[str]
    encoding: str | None
    pages: int
    counts: dict[str, Any]
    reported: int
    attempts: int


def is_waiting(session: Session) -> bool:
    """Return True if an import waits and no worker works on one."""
    return bool(session.scalar(_WAITING))


def others_wait(session: Session, claimed: Claimed) -> bool:
    """Return True if another import is started, too."""
    return bool(session.scalar(_OTHERS, {"id": claimed.id}))


def claim(session: Session) -> Claimed | None:
    """Claim the import to store next; None if there is none or another one is being stored."""
    row = session.execute(_CLAIM, {"claim": ids.new(), "lease_s": LEASE_S}).one_or_none()
    return None if row is None else Claimed(**row._mapping)


def renew(session: Session, claimed: Claimed) -> bool:
    """Extend the lease; return False if the import was cancelled or claimed by another worker."""
    return _changed(session, claimed, leased_until=_lease())


def release(session: Session, claimed: Claimed) -> None:
    """Let any worker continue at once."""
    _changed(session, claimed, leased_until=func.clock_timestamp())


def store(session: Session, claimed: Claimed, page: Page, *, read_bytes: int, now: datetime) -> Claimed | None:
    """Store one page and the new position, and return it; None if the import was cancelled or claimed by another."""
    locked = select(FileImport.id).where(*_own(claimed)).with_for_update()
    if session.scalar(locked) is None:
        return None
    stored = file_imports.store(session, page, now=now)
    counts = _sum(claimed.counts, page, stored)
    reported = claimed.reported + _report(session, claimed, page)
    moved = replace(claimed, pages=claimed.pages + 1, counts=counts, reported=reported, attempts=0)
    position = {"pages": moved.pages, "counts": counts, "reported": reported, "attempts": 0}
    _changed(session, claimed, **position, read_bytes=read_bytes, leased_until=_lease())
    return moved


def end(session: Session, claimed: Claimed, *, now: datetime, error: str | None = None) -> bool:
    """End the import, failed if there is an error, and delete its file; return False if it has ended already."""
    values = {"state": "failed" if error else "done", "error": error, "ended_at": now}
    if not _changed(session, claimed, **values, claim=None, leased_until=None):
        return False
    content.remove(session, claimed.id)
    return True


def _lease() -> Any:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, LEASE_S)


def _own(claimed: Claimed) -> tuple[Any, ...]:
    return FileImport.id == claimed.id, FileImport.claim == claimed.claim, FileImport.state == "running"


def _changed(session: Session, claimed: Claimed, **values: Any) -> bool:
    """Write to the import if it is still this worker's."""
    changes = update(FileImport).where(*_own(claimed)).values(**values)
    return bool(session.execute(changes).rowcount)  # type: ignore[attr-defined]


def _sum(before: dict[str, Any], page: Page, stored: Stored) -> dict[str, Any]:
    counted = ImportReport().plus(page, stored).counts()
    return {name: before.get(name, 0) + counted[name] for name in COUNTS}


def _report(session: Session, claimed: Claimed, page: Page) -> int:
    """Store the page's faults and notes, those of refused rows first; return their number."""
    both = chain(((True, fault) for fault in page.faults), ((False, note) for note in page.notes))
    kept = list(islice(both, max(0, FAULTS_MAX - claimed.reported)))
    rows = list(_rows(claimed, kept))
    if rows:
        session.execute(insert(FileImportFault), rows)
    return len(rows)


def _rows(claimed: Claimed, kept: list[tuple[bool, RowFault]]) -> Iterator[dict[str, Any]]:
    for number, (is_refused, fault) in enumerate(kept, start=claimed.reported):
        yield {"import_id": claimed.id, "number": number, "is_refused": is_refused, **asdict(fault)}
