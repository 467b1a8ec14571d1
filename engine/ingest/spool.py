"""The spool: a process's files of events that are not in the database yet, synced before the answer."""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from time import time
from uuid import UUID

from engine import quarantine
from engine.ingest import records
from engine.ingest.records import Content
from engine.tracking.events import Entry
from models import ids

SUFFIX, CORRUPT_SUFFIX = ".spool", quarantine.SUFFIX
# Consent changes and reports have files of their own: the first must not wait behind hits, the others may be forged.
CONSENT_SUFFIX, REPORTS_SUFFIX = ".consent", ".reports"
CONSENT_SUFFIXES = (CONSENT_SUFFIX, ".wishes")  # the latter: files of earlier versions
SUFFIXES = (*CONSENT_SUFFIXES, SUFFIX, REPORTS_SUFFIX)  # in the order of draining
MAIL = "mail/*.mail"  # incoming messages, which engine/inbound/mail_spool.py stores and drains
IN_MEMORY_MAX = 2_000

# Files that this process has open. Closing a second descriptor of a file would drop the lock on it (fcntl(2)).
_open_here: set[Path] = set()
_gate = threading.Lock()


class SpoolFull(OSError):
    """The files of this process have reached their size limit."""


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
        lines = b"".join([records.encoded(each) for each in entries])
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
        self._has_corrupt = False

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
            descriptor = _opened(path, os.O_RDWR)
            if descriptor is None:
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

    def read(self) -> Iterator[Content]:
        """Yield the file's content from its start, in batches."""
        self._has_corrupt = False
        if self._in_memory is None:
            yield from records.decoded(records.reader(self._descriptor))
            return
        entries = tuple(self._in_memory)
        for start in range(0, len(entries), records.BATCH):
            yield Content(entries[start : start + records.BATCH], (), is_torn=False)

    def save_corrupt(self, lines: Sequence[bytes]) -> None:
        """Add lines that cannot be stored to a file beside this one, for an operator; `read` begins it anew."""
        if lines:
            with self.path.with_suffix(CORRUPT_SUFFIX).open("ab" if self._has_corrupt else "wb") as kept:
                kept.writelines(line + b"\n" for line in lines)
            self._has_corrupt = True

    def set_aside(self, reason: str) -> None:
        """Move the file into quarantine and close it."""
        quarantine.move(self.path, reason)
        self.is_removed = True
        self.close()

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
    return {path: status.st_size for path, status in _statuses(paths(folder))}


def age_s(folder: Path) -> float | None:
    """Return the age of the oldest event or incoming message in `folder` that waits; None if nothing waits."""
    waiting = _statuses([*paths(folder), *folder.glob(MAIL)])
    moments = [min(status.st_mtime, _created_at(path)) for path, status in waiting]
    return max(0.0, time() - min(moments)) if moments else None


def _statuses(files: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for path in files:
        with suppress(FileNotFoundError):  # it has just been drained
            yield path, path.lstat()


def _created_at(path: Path) -> float:
    """Return the unix time in the file's name; infinity for a name that has none."""
    try:
        name = UUID(path.stem)
    except ValueError:
        return inf
    return (name.int >> 80) / 1000 if name.version == 7 else inf  # RFC 9562


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


def peek(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file of another process without locking it; none when the file is gone or our own.

    A file that cannot be read is reported.
    """
    with _gate:
        descriptor = None if path in _open_here else _opened(path, os.O_RDONLY)
    if descriptor is None:
        return
    try:
        for content in records.decoded(records.reader(descriptor)):
            yield from content.entries
    except OSError as error:
        quarantine.report(path, f"cannot be read: {type(error).__name__}")
    finally:
        os.close(descriptor)


def _opened(path: Path, access: int) -> int | None:
    """Open a file and return its descriptor; None if it is gone, and, with a report, if it cannot be opened."""
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            return os.open(path, access | os.O_CLOEXEC)
        quarantine.move(path, "no regular file")
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno != errno.EROFS:  # a folder that this process may only read is drained by others
            quarantine.report(path, f"cannot be opened: {type(error).__name__}")
    return None


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
