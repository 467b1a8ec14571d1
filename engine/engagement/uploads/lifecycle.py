"""Imports of uploaded files as people see them: upload, preview, start, cancel, report, list, and their end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

import errors
from engine.audience.files import columns
from engine.audience.import_report import RowFault
from engine.engagement.uploads import content, preview
from engine.engagement.uploads.content import Spool
from engine.engagement.uploads.preview import Preview
from errors import Conflict, InvalidInput, NotFound
from models import Account, FileImport, FileImportFault, ids, vault

LISTED = 20
NAME_CHARS_MAX = 100
ENCODINGS = ("utf-8", "cp1252", "iso-8859-15", "mac-roman", "cp850", "cp1251", "utf-16", "shift_jis")
KEEP_UNSTARTED = timedelta(days=1)
KEEP_FAULTS = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class View:
    """An import: its file, its state, its counts so far (those of an `ImportReport`), and who started it when.

    `share` of the file was read. `waits` is True while another import runs before it. `error` is the reason of a failed
    one. `preview` exists until it is started.
    """

    id: UUID
    state: str
    file_name: str
    size_bytes: int
    account: str | None
    counts: Mapping[str, int]
    share: float
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    waits: bool
    mapping: tuple[str, ...]
    encoding: str | None


_COLUMNS = (
    FileImport.id,
    FileImport.state,
    FileImport.file_name,
    FileImport.size_bytes,
    Account.name,
    FileImport.counts,
    FileImport.read_bytes,
    FileImport.created_at,
    FileImport.started_at,
    FileImport.ended_at,
    FileImport.error,
    func.coalesce(FileImport.leased_until < func.clock_timestamp(), True).label("is_free"),
    FileImport.mapping,
    FileImport.encoding,
)


def create(session: Session, account_id: UUID, file_name: str, spool: Spool, *, now: datetime) -> UUID:
    """Store an uploaded file with its preview, and return the import's id. Raises InvalidInput for an empty file."""
    if not spool.size:
        raise InvalidInput.of("file", "is empty; choose a file with a header and at least one contact")
    import_id = ids.new()
    row = {
        "id": import_id,
        "account_id": account_id,
        "file_name": vault.current().encrypt(shown_name(file_name)),
        "size_bytes": spool.size,
        "preview": preview.sealed(preview.of(spool.reader())),
        "created_at": now,
    }
    session.execute(insert(FileImport).values(row))
    content.store(session, import_id, spool.tokens())
    return import_id


def shown_name(file_name: str) -> str:
    """Return the last part of a path as a short printable name."""
    last = file_name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = "".join(char for char in last if char.isprintable()).strip()
    return (name if len(name) <= NAME_CHARS_MAX else f"{name[: NAME_CHARS_MAX - 1]}…") or "file"


def view(session: Session, import_id: UUID) -> View:
    """Return one import; raises NotFound."""
    query = select(*_COLUMNS).outerjoin(Account, Account.id == FileImport.account_id)
    row = session.execute(query.where(FileImport.id == import_id)).one_or_none()
    if row is None:
        raise NotFound("import: there is none with this id")
    return _view(row)


def latest(session: Session, *, before: UUID | None = None) -> list[View]:
    """Return a page of the imports, newest first; those before the id `before`."""
    query = select(*_COLUMNS).outerjoin(Account, Account.id == FileImport.account_id)
    if before is not None:
        query = query.where(FileImport.id < before)
    return [_view(row) for row in session.execute(query.order_by(FileImport.id.desc()).limit(LISTED))]


def previewed(session: Session, import_id: UUID) -> Preview:
    """Return the preview of an import that is not started; raises Conflict for another."""
    token = session.scalar(select(FileImport.preview).where(FileImport.id == import_id, FileImport.state == "ready"))
    if token is None:
        raise _started(session, import_id)
    return preview.unsealed(token)


def review(session: Session, import_id: UUID, *, targets: Mapping[int, str], encoding: str | None) -> Preview:
    """Read the file again with changed targets of columns, by their indexes, and return the preview.

    A target is one of `columns.MEANINGS`, `status`, `attribute`, or empty to leave the column out. Raises Conflict if
    the import is started, InvalidInput for an unknown target or encoding.
    """
    stored = session.execute(
        select(FileImport.mapping).where(FileImport.id == import_id, FileImport.state == "ready").with_for_update()
    ).scalar_one_or_none()
    if stored is None:
        raise _started(session, import_id)
    if encoding is not None and encoding not in ENCODINGS:
        raise InvalidInput.of("encoding", errors.unknown(encoding, ENCODINGS))
    allowed = {*columns.MEANINGS, columns.STATUS, columns.ATTRIBUTE, ""}
    if unknown := next((target for target in targets.values() if target not in allowed), None):
        raise InvalidInput.of("map", errors.unknown(unknown, sorted(allowed - {""})))
    changed = {f"#{index + 1}": target for index, target in targets.items()}
    mapping = {entry.rpartition("=")[0]: entry.rpartition("=")[2] for entry in stored} | changed
    entries = [f"{name}={target}" for name, target in mapping.items()]
    shown = preview.of(
        content.Reader(lambda number: content.fetch(session, import_id, number)), mapping=entries, encoding=encoding
    )
    values = {"mapping": entries, "encoding": encoding, "preview": preview.sealed(shown)}
    session.execute(update(FileImport).where(FileImport.id == import_id).values(values))
    return shown


def start(session: Session, import_id: UUID, *, now: datetime) -> None:
    """Start an import; ring "imports" after the commit. Raises Conflict if it is started already."""
    values = {"state": "running", "started_at": now, "preview": None}
    ready = update(FileImport).where(FileImport.id == import_id, FileImport.state == "ready")
    if session.execute(ready.values(values)).rowcount != 1:  # type: ignore[attr-defined]
        raise _started(session, import_id)


def cancel(session: Session, import_id: UUID, *, now: datetime) -> None:
    """Stop a running import; what is stored stays. Raises Conflict if it has ended or is not started."""
    values = {"state": "cancelled", "ended_at": now, "claim": None, "leased_until": None}
    running = update(FileImport).where(FileImport.id == import_id, FileImport.state == "running")
    if session.execute(running.values(values)).rowcount != 1:  # type: ignore[attr-defined]
        view(session, import_id)  # raises NotFound
        raise Conflict("import: it does not run; it has ended, or was not started")
    content.remove(session, import_id)


def discard(session: Session, import_id: UUID) -> None:
    """Delete an import that is not started, with its file. Raises Conflict if it is started."""
    unstarted = delete(FileImport).where(FileImport.id == import_id, FileImport.state == "ready")
    if session.execute(unstarted).rowcount != 1:  # type: ignore[attr-defined]
        raise _started(session, import_id)


def faults(session: Session, import_id: UUID, *, limit: int) -> Iterator[tuple[bool, RowFault]]:
    """Yield the first faults and notes of an import by their lines; the mark is True for refused rows."""
    columns_read = (FileImportFault.is_refused, FileImportFault.line, FileImportFault.field, FileImportFault.message)
    of_import = select(*columns_read).where(FileImportFault.import_id == import_id)
    for row in session.execute(of_import.order_by(FileImportFault.number).limit(limit)):
        yield row.is_refused, RowFault(row.line, row.field, row.message)


def prune(session: Session) -> None:
    """Delete imports that nobody started within a day, with their files, and faults of imports that ended long ago."""
    is_old = FileImport.created_at < func.now() - KEEP_UNSTARTED
    session.execute(delete(FileImport).where(FileImport.state == "ready", is_old))
    ended = select(FileImport.id).where(FileImport.reported > 0, FileImport.ended_at < func.now() - KEEP_FAULTS)
    long_ended = list(session.scalars(ended))
    session.execute(delete(FileImportFault).where(FileImportFault.import_id.in_(long_ended)))
    session.execute(update(FileImport).where(FileImport.id.in_(long_ended)).values(reported=0))


def _view(row: Sequence[object]) -> View:
    values = row._asdict()  # type: ignore[attr-defined]
    return View(
        account=values.pop("name"),
        file_name=vault.current().decrypt(values.pop("file_name")),
        share=min(1.0, values.pop("read_bytes") / max(1, values["size_bytes"])),
        waits=values.pop("is_free") and values["state"] == "running",
        mapping=tuple(values.pop("mapping")),
        **values,
    )


def _started(session: Session, import_id: UUID) -> Conflict:
    """Return the error for an import that is started; raise NotFound if there is none."""
    view(session, import_id)
    return Conflict("import: it is started already")
