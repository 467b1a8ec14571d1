"""The spool: a process's files of events that are not in the database yet, synced before the answer.

A record is one line: the CRC-32 of its JSON (eight hex digits), the length of the JSON, and the JSON without line ends.
So a torn tail (no line end) differs from a corrupt record (checksum or length do not match), and the records after
either can be read.
"""

import fcntl
import json
import os
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

from engine.tracking.events import Entry
from models import ids

SUFFIX, CORRUPT_SUFFIX = ".spool", ".bad"
# Consent changes and reports have files of their own: the first must not wait behind hits, the others may be forged.
CONSENT_SUFFIX, REPORTS_SUFFIX = ".consent", ".reports"
CONSENT_SUFFIXES = (CONSENT_SUFFIX, ".wishes")  # the latter: files of earlier versions
SUFFIXES = (*CONSENT_SUFFIXES, SUFFIX, REPORTS_SUFFIX)  # in the order of draining
IN_MEMORY_MAX = 2_000

# Files that this process has open. Closing a second descriptor of a file would drop the lock on it (fcntl(2)).
_open_here: set[Path] = set()
_gate = threading.Lock()


class SpoolFull(OSError):
    """The files of this process have reached their size limit."""


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file: its whole records, its corrupt lines, and whether its tail is torn."""

    entries: tuple[Entry, ...]
    corrupt: tuple[bytes, ...]
    is_torn: bool


class Spool:
    """The spool of one kind of a process: one file at a time, locked while the process lives, synced at each `add`."""

    def __init__(self, folder: Path, limit_bytes: int, suffix: str = SUFFIX) -> None:
        self.suffix = suffix
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._guard = threading.Lock()
        self._sealed: list[File] = []
        self._file: File | None = None

    @property
    def size_bytes(self) -> int:
        """Return the number of bytes that are not drained yet."""
        return sum(each.size_bytes for each in (*self._sealed, self._file) if each is not None)

    def add(self, entries: Sequence[Entry]) -> None:
        """Write and sync these together; stores none of them when it raises SpoolFull or OSError."""
        lines = b"".join([encoded(each) for each in entries])
        with self._guard:
            if self.size_bytes + len(lines) > self._limit_bytes:
                raise SpoolFull(f"the spool has its {self._limit_bytes} bytes")
            if self._file is None:
                self._file = File.create(self._folder, self.suffix)
            try:
                self._file.append(lines, entries)
            except OSError:
                self._seal()  # the tail may be torn, so nothing may follow it
                raise

    def seal(self) -> None:
        """Make the current file ready to be drained, unless another one still is; later entries go to a new file."""
        with self._guard:
            if not self._sealed:
                self._seal()

    def _seal(self) -> None:
        if self._file is not None:
            self._sealed.append(self._file)
            self._file = None

    @contextmanager
    def sealed(self) -> "Iterator[list[File]]":
        """Yield the sealed files, to be drained; forget those that were removed meanwhile."""
        with self._guard:
            files = list(self._sealed)
        yield files
        with self._guard:
            self._sealed = [each for each in self._sealed if not each.is_removed]


class File:
    """A spool file that this process has open and locked."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size_bytes = 0
        self.is_removed = False
        self.is_orphan = False  # left by a process that has ended
        self._descriptor = descriptor
        self._in_memory: list[Entry] | None = None  # its entries while they are few, to be read without the disk

    @classmethod
    def create(cls, folder: Path, suffix: str = SUFFIX) -> "File":
        """Create and lock a new file, and sync the folder, so that the file survives a power failure."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{ids.new().hex}{suffix}"
        with _gate:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock: a fork would inherit it
            _open_here.add(path)
        _sync_folder(folder)
        file = cls(path, descriptor)
        file._in_memory = []
        return file

    @classmethod
    def adopt(cls, path: Path) -> "File | None":
        """Lock the file of a process that has ended; None while that lives, and when another one has drained it."""
        with _gate:
            if path in _open_here:
                return None
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            if not _lock(path, descriptor):
                os.close(descriptor)
                return None
            _open_here.add(path)
        file = cls(path, descriptor)
        file.is_orphan = True
        file.size_bytes = os.fstat(descriptor).st_size
        return file

    def append(self, lines: bytes, entries: Sequence[Entry]) -> None:
        """Write and sync these entries, given with their encoded lines; on OSError the file is as before."""
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size_bytes)
            raise
        self.size_bytes += len(lines)
        if self._in_memory is not None:
            self._in_memory.extend(entries)
            if len(self._in_memory) > IN_MEMORY_MAX:
                self._in_memory = None

    def read(self) -> Content:
        """Return the file's content."""
        if self._in_memory is not None:
            return Content(tuple(self._in_memory), (), is_torn=False)
        return decoded(os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0))

    def save_corrupt(self, lines: Sequence[bytes]) -> None:
        """Write corrupt lines to a file beside this one, for an operator."""
        if lines:
            self.path.with_suffix(CORRUPT_SUFFIX).write_bytes(b"".join([line + b"\n" for line in lines]))

    def remove(self) -> None:
        """Delete the file; to be called when all of it is in the database."""
        self.path.unlink(missing_ok=True)
        self.is_removed = True
        self.close()

    def close(self) -> None:
        """Close the file, which unlocks it."""
        with _gate:
            _open_here.discard(self.path)
            os.close(self._descriptor)


def paths(folder: Path, suffixes: Iterable[str] = SUFFIXES) -> list[Path]:
    """Return the files in `folder` in the order of draining."""
    return [path for suffix in suffixes for path in sorted(folder.glob(f"*{suffix}"))]


def sizes(folder: Path) -> dict[Path, int]:
    """Return the size in bytes of each file in `folder`."""
    return {path: path.stat().st_size for path in paths(folder)}


def orphans(folder: Path, suffix: str = SUFFIX) -> Generator[File, None, None]:
    """Yield the files of processes that have ended, each locked by us until the next one is asked for."""
    for path in paths(folder, [suffix]):
        file = File.adopt(path)
        if file is None:
            continue
        try:
            yield file
        finally:
            if not file.is_removed:
                file.close()


def peek(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a file of another process without locking it; none when the file is gone or our own."""
    with _gate:
        if path in _open_here:
            return ()
        try:
            return decoded(path.read_bytes()).entries
        except FileNotFoundError:
            return ()


def encoded(entry: Entry) -> bytes:
    """Return the entry as a line of the file."""
    # Formatted by hand in half the time of an encoder: all but the data are words, digits and dates.
    fields = (
        f'{{"id":"{entry.id.hex}","email_id":"{entry.email_id.hex}","event_type":"{entry.event_type}",'
        f'"event_data":{json.dumps(entry.event_data)},"timestamp":"{entry.timestamp.isoformat()}","source":"{entry.source}",'
        f'"dedupe_key":"{entry.dedupe_key.hex()}","received_at":"{entry.received_at.isoformat()}"}}'
    )
    record = fields.encode()
    return b"%08x %d %b\n" % (crc32(record), len(record), record)


def decoded(content: bytes) -> Content:
    """Return the records in these bytes; a line that is not whole is never interpreted."""
    *lines, tail = content.split(b"\n")
    pairs = [(line, _entry(line)) for line in lines]
    entries = tuple(entry for _, entry in pairs if entry is not None)
    return Content(entries, tuple(line for line, entry in pairs if entry is None), is_torn=bool(tail))


def _entry(line: bytes) -> Entry | None:
    check, _, rest = line.partition(b" ")
    length, _, record = rest.partition(b" ")
    if check != b"%08x" % crc32(record) or length != b"%d" % len(record):
        return None
    return _from_fields(json.loads(record))


def _from_fields(fields: dict[str, Any]) -> Entry:
    return Entry(
        id=UUID(fields["id"]),
        email_id=UUID(fields["email_id"]),
        event_type=fields["event_type"],
        event_data=fields["event_data"],
        timestamp=datetime.fromisoformat(fields["timestamp"]),
        source=fields["source"],
        dedupe_key=bytes.fromhex(fields["dedupe_key"]),
        received_at=datetime.fromisoformat(fields["received_at"]),
    )


def _lock(path: Path, descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # its owner lives
    return path.exists()  # else another process has just drained it


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
