"""The spool: events kept in files of a process until they are in the ledger, at once or when it is back.

A record is a line: the checksum of its JSON (CRC-32, eight hex digits), the length of it, and the JSON, which has no
line end in it. So a tail that a death cut off (no line end) is told from a record that the disk spoilt (a line that is
not what it says), and what comes after either can be read.
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

SUFFIX, BAD_SUFFIX = ".spool", ".bad"
# In files of their own: what readers asked for, so that it waits behind no hits, and what others report.
WISHES_SUFFIX, REPORTS_SUFFIX = ".wishes", ".reports"
SUFFIXES = (WISHES_SUFFIX, SUFFIX, REPORTS_SUFFIX)  # in the order in which they are taken in
KNOWN_MAX = 2_000

# Files that this process has open. Closing a second descriptor of a file would drop the lock on it (fcntl(2)).
_open_here: set[Path] = set()
_gate = threading.Lock()


class SpoolFull(OSError):
    """The files of this process have reached the size they may have."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its whole records, the lines that were spoilt, and whether its tail was cut off."""

    entries: tuple[Entry, ...]
    spoilt: tuple[bytes, ...]
    is_torn: bool


class Spool:
    """What this process spools, in one file at a time: locked as long as the process lives, synced at each `add`."""

    def __init__(self, folder: Path, limit_bytes: int, suffix: str = SUFFIX) -> None:
        self.suffix = suffix
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._guard = threading.Lock()
        self._sealed: list[File] = []
        self._file: File | None = None

    @property
    def size_bytes(self) -> int:
        """How much waits here to be taken in."""
        return sum(each.size_bytes for each in (*self._sealed, self._file) if each is not None)

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep these, in one write and one flush to disk; none of them when it raises SpoolFull or OSError."""
        written = b"".join([encoded(each) for each in entries])
        with self._guard:
            if self.size_bytes + len(written) > self._limit_bytes:
                raise SpoolFull(f"the spool has its {self._limit_bytes} bytes")
            if self._file is None:
                self._file = File.make(self._folder, self.suffix)
            try:
                self._file.append(written, entries)
            except OSError:
                self._seal()  # nothing may follow what was perhaps cut off
                raise

    def seal(self) -> None:
        """Let the file be taken in, unless another one still waits for that; what comes next goes into a new one."""
        with self._guard:
            if not self._sealed:
                self._seal()

    def _seal(self) -> None:
        if self._file is not None:
            self._sealed.append(self._file)
            self._file = None

    @contextmanager
    def sealed(self) -> "Iterator[list[File]]":
        """The files to be taken in: those of this process that are sealed; forgotten once they are removed."""
        with self._guard:
            files = list(self._sealed)
        yield files
        with self._guard:
            self._sealed = [each for each in self._sealed if not each.is_gone]


class File:
    """A file that this process has open and locked."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size_bytes = 0
        self.is_gone = False
        self.is_left = False  # by a process that is no more
        self._descriptor = descriptor
        self._known: list[Entry] | None = None  # what it holds, as long as that is little: to be read without the disk

    @classmethod
    def make(cls, folder: Path, suffix: str = SUFFIX) -> "File":
        """A new one; in the folder for good, that is, the folder is synced as well."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{ids.new().hex}{suffix}"
        with _gate:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock: a fork would inherit it
            _open_here.add(path)
        _sync_folder(folder)
        made = cls(path, descriptor)
        made._known = []
        return made

    @classmethod
    def adopt(cls, path: Path) -> "File | None":
        """The file of a process that is no more; None while it lives, and when another one has taken it in."""
        with _gate:
            if path in _open_here:
                return None
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            if not _is_ours_now(path, descriptor):
                os.close(descriptor)
                return None
            _open_here.add(path)
        found = cls(path, descriptor)
        found.is_left = True
        found.size_bytes = os.fstat(descriptor).st_size
        return found

    def append(self, written: bytes, entries: Sequence[Entry]) -> None:
        """Write these, which are encoded already, and sync them; nothing of it stays when it raises OSError."""
        view = memoryview(written)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size_bytes)
            raise
        self.size_bytes += len(written)
        if self._known is not None:
            self._known.extend(entries)
            if len(self._known) > KNOWN_MAX:
                self._known = None

    def read(self) -> Content:
        """What it holds."""
        if self._known is not None:
            return Content(tuple(self._known), (), is_torn=False)
        return decoded(os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0))

    def keep_spoilt(self, lines: Sequence[bytes]) -> None:
        """Put spoilt lines beside the file, for a person to look at."""
        if lines:
            self.path.with_suffix(BAD_SUFFIX).write_bytes(b"".join([line + b"\n" for line in lines]))

    def remove(self) -> None:
        """All it holds is in the ledger now."""
        self.path.unlink(missing_ok=True)
        self.is_gone = True
        self.close()

    def close(self) -> None:
        """Let go of the file, and so of its lock."""
        with _gate:
            _open_here.discard(self.path)
            os.close(self._descriptor)


def paths(folder: Path, suffixes: Iterable[str] = SUFFIXES) -> list[Path]:
    """The files in `folder`, in the order in which they are to be taken in."""
    return [path for suffix in suffixes for path in sorted(folder.glob(f"*{suffix}"))]


def orphans(folder: Path, suffix: str = SUFFIX) -> Generator[File, None, None]:
    """The files in `folder` that processes left which are no more, locked by us until the next one is asked for."""
    for path in paths(folder, [suffix]):
        found = File.adopt(path)
        if found is None:
            continue
        try:
            yield found
        finally:
            if not found.is_gone:
                found.close()


def encoded(entry: Entry) -> bytes:
    """The entry as a line of the file."""
    # Written out, which takes half as long as an encoder does: but for the data all are words, digits and dates.
    fields = (
        f'{{"id":"{entry.id.hex}","email_id":"{entry.email_id.hex}","event_type":"{entry.event_type}",'
        f'"event_data":{json.dumps(entry.event_data)},"timestamp":"{entry.timestamp.isoformat()}","source":"{entry.source}",'
        f'"dedupe_key":"{entry.dedupe_key.hex()}","received_at":"{entry.received_at.isoformat()}"}}'
    )
    told = fields.encode()
    return b"%08x %d %b\n" % (crc32(told), len(told), told)


def decoded(content: bytes) -> Content:
    """What the lines say; nothing is guessed about one that is not whole."""
    *lines, tail = content.split(b"\n")
    found = [(line, _entry(line)) for line in lines]
    entries = tuple(entry for _, entry in found if entry is not None)
    return Content(entries, tuple(line for line, entry in found if entry is None), is_torn=bool(tail))


def _entry(line: bytes) -> Entry | None:
    check, _, rest = line.partition(b" ")
    length, _, told = rest.partition(b" ")
    if check != b"%08x" % crc32(told) or length != b"%d" % len(told):
        return None
    return _from_fields(json.loads(told))


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


def _is_ours_now(path: Path, descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # its owner lives
    return path.exists()  # else another process has just taken it in


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
