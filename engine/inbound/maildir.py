"""Maildirs: record the new messages of a folder that a mail server delivers to."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from engine.inbound import incoming
from engine.inbound.incoming import Run
from errors import InvalidInput, Unavailable

log = logging.getLogger(__name__)

_SEEN, _SEEN_AND_FLAGGED = ":2,S", ":2,FS"


def check(folder: Path) -> None:
    """Raise InvalidInput unless this is a Maildir."""
    if not (folder / "new").is_dir() or not (folder / "cur").is_dir():
        raise InvalidInput.of("maildir", f"{folder} has no folders `new` and `cur`; give the path of a Maildir")


def record(folder: Path, *, limit_bytes: int, run: Run, now: Callable[[], datetime]) -> int:
    """Record the messages in `new`, move them to `cur` as read, and return their number. Safe to run twice at once.

    A message stays in `new` until it is recorded, so none is lost. Of a larger one only the first `limit_bytes` are
    read. One that cannot be recorded is moved as well, flagged, and stops no other. Raises Unavailable if the database
    is.
    """
    return sum(_is_recorded(path, limit_bytes, run, now()) for path in sorted((folder / "new").iterdir()))


def _is_recorded(path: Path, limit_bytes: int, run: Run, now: datetime) -> bool:
    try:
        with path.open("rb") as file:
            raw = file.read(limit_bytes)
    except FileNotFoundError:
        return False  # another process was faster
    except OSError as error:
        log.error("inbound_failed message=%s error=%s", ascii(path.name), type(error).__name__, exc_info=error)
        return False
    try:
        incoming.handle(raw, ascii(path.name), run=run, now=now)
    except Unavailable:
        raise
    except incoming.Unrecordable:
        _move(path, _SEEN_AND_FLAGGED)
        return False
    except Exception:  # noqa: BLE001  # it was logged; this message waits, and others are recorded
        return False
    _move(path, _SEEN)
    return True


def _move(path: Path, info: str) -> None:
    with suppress(FileNotFoundError):  # another process was faster
        path.rename(path.parents[1] / "cur" / f"{path.name.partition(':')[0]}{info}")
