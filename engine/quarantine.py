"""Quarantine: files that no program can use are renamed and reported, so that they block no other file."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Quarantine, together
from models.together import Query

log = logging.getLogger(__name__)

SUFFIX = ".bad"

_RECORDED = "SELECT host, folder, files, since FROM quarantines ORDER BY host, folder"

_reported: set[Path] = set()  # files that stay where they are; each is reported once by a process


def move(path: Path, reason: str) -> None:
    """Rename the file to one that ends in `.bad`, beside it, and log that as an error.

    If that fails, the file stays, and is reported once.
    """
    try:
        path.rename(_free_name(path))
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        report(path, f"{reason}; it cannot be moved: {type(error).__name__}")
    else:
        log.error("file_quarantined file=%s reason=%s", ascii(path.name), reason)


def report(path: Path, reason: str) -> None:
    """Log, once, that this file cannot be used at present and stays where it is."""
    if path not in _reported:
        _reported.add(path)
        log.error("file_unusable file=%s reason=%s", ascii(path.name), reason)


def size(folder: Path) -> int:
    """Return the number of files in quarantine in `folder`."""
    return sum(1 for _ in folder.glob(f"*{SUFFIX}"))


@dataclass(frozen=True, slots=True)
class Content:
    """The files in quarantine in one folder of a host: `recorders` or `spool`."""

    host: str
    folder: str
    files: int
    since: datetime


def record(session: Session, host: str, folders: Mapping[str, Path]) -> None:
    """Store how many files of this host's folders are in quarantine, so that health checks anywhere can report them."""
    sizes = {name: size(folder) for name, folder in folders.items()}
    filled = [name for name, files in sizes.items() if files]
    session.execute(delete(Quarantine).where(Quarantine.host == host, Quarantine.folder.not_in(filled)))
    for name in filled:
        row = insert(Quarantine).values(host=host, folder=name, files=sizes[name])
        changes = {"files": row.excluded.files, "seen_at": func.now()}
        session.execute(row.on_conflict_do_update(index_elements=["host", "folder"], set_=changes))


def recorded(session: Session) -> list[Content]:
    """Return what hosts have in quarantine, as of their last sweep."""
    return together.one(session, query())


def query() -> Query[list[Content]]:
    """Return the query of `recorded`."""
    return Query(_RECORDED, ("host", "folder", "files", "since"), _contents)


def _contents(rows: Sequence[Any]) -> list[Content]:
    return [Content(*row) for row in rows]


def prune(session: Session, *, keep: timedelta) -> None:
    """Delete the records of hosts that have reported nothing for as long as `keep`."""
    session.execute(delete(Quarantine).where(Quarantine.seen_at < func.now() - keep))


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}{number or ''}{SUFFIX}") for number in count())
    return next(name for name in names if not name.exists())
