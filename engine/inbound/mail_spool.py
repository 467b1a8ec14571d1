"""The spool of incoming mail: each message is on disk before the reply that accepts it.

A file holds one message, after the trace lines that a mail server adds at delivery (RFC 5321, 4.4). It is removed when
the message is recorded. Recording twice is harmless, so no file is locked.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import time

from engine import quarantine
from engine.inbound import incoming
from engine.inbound.incoming import Run
from engine.messages.headers import CONTROL
from errors import Unavailable
from models import ids

FOLDER = "mail"  # in SPOOL_DIR
SUFFIX, _UNFINISHED = ".mail", ".part"
_UNFINISHED_KEPT_S = 86_400


class MailSpoolFull(OSError):
    """The messages that wait have reached the size limit."""


class Draft:
    """A message that is being received; `publish` makes it durable, `discard` removes it."""

    def __init__(self, folder: Path, *, sender: str | None, recipients: Sequence[str]) -> None:
        """Open a file that only its owner may read. Raise OSError if the disk refuses it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._path = folder / f"{ids.new().hex}{_UNFINISHED}"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self.write(_trace(sender, recipients))

    def write(self, data: bytes) -> None:
        """Append to the message."""
        self._file.write(data)

    def publish(self) -> None:
        """Sync the message and its name, so that it survives a power failure, and leave it to be recorded."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.rename(self._path.with_suffix(SUFFIX))
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Remove the message unless it is published."""
        with suppress(OSError):  # such as a full disk, which keeps the bytes written so far
            self._file.close()
        self._path.unlink(missing_ok=True)


def draft(folder: Path, *, sender: str | None, recipients: Sequence[str], limit_bytes: int) -> Draft:
    """Return a new message; raise MailSpoolFull if those that wait have `limit_bytes`."""
    if sum(sizes(folder).values()) >= limit_bytes:
        raise MailSpoolFull(f"the messages that wait have {limit_bytes} bytes")
    return Draft(folder, sender=sender, recipients=recipients)


def drain(folder: Path, *, run: Run, now: Callable[[], datetime]) -> int:
    """Record the messages that wait, and return their number. Safe to run twice at once.

    A message that cannot be recorded goes into quarantine and stops no other. Raises Unavailable if the database is.
    """
    if not os.access(folder, os.W_OK):  # missing, or shared read-only with a process that drains it
        return 0
    return sum(_is_recorded(path, run, now()) for path in sorted(folder.glob(f"*{SUFFIX}")))


def sizes(folder: Path) -> dict[Path, int]:
    """Return the size in bytes of each message that waits or is being received."""
    sizes_by_path: dict[Path, int] = {}
    for path in [*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*{_UNFINISHED}")]:
        with suppress(FileNotFoundError):
            sizes_by_path[path] = path.stat().st_size
    return sizes_by_path


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files of killed processes: messages that were never acknowledged."""
    for path in folder.glob(f"*{_UNFINISHED}"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time() - _UNFINISHED_KEPT_S:
                path.unlink()


def _is_recorded(path: Path, run: Run, now: datetime) -> bool:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return False  # another process was faster
    except OSError as error:
        quarantine.report(path, f"cannot be read: {type(error).__name__}")
        return False
    try:
        incoming.handle(raw, path.name, run=run, now=now)
    except Unavailable:
        raise
    except incoming.Unrecordable as error:
        quarantine.move(path, f"cannot be recorded: {error}")
        return False
    except Exception:  # noqa: BLE001  # it was logged; this message waits, and others are recorded
        return False
    path.unlink(missing_ok=True)
    return True


def _trace(sender: str | None, recipients: Sequence[str]) -> bytes:
    lines = [] if sender is None else [f"Return-Path: <{sender}>"]
    lines += [f"Delivered-To: {address}" for address in recipients]
    return "".join(f"{CONTROL.sub('?', line)}\r\n" for line in lines).encode("utf-8", "replace")
