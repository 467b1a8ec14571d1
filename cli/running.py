"""The environments of running `make up`s of this checkout: files that are locked for as long as each runs."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli import env_file

STATE = Path(__file__).resolve().parents[1] / "var"
FILE_NAME = "local.env"
_ELSEWHERE = "running"  # links to the files of installations whose state is in another folder
_VERSION, _PID = "CADENCIA_VERSION", "CADENCIA_PID"


@dataclass(frozen=True, slots=True)
class Installation:
    """A running installation: the file with its environment, and the values in it."""

    path: Path
    pid: str
    version: str
    values: Mapping[str, str]


@contextmanager
def published(state: Path, values: Mapping[str, str], *, version: str, register: Path = STATE) -> Iterator[Path]:
    """Offer an environment to commands during the block, in a file that only its owner may read.

    The file is locked for that time, so that one left by a killed process is recognised; `published` replaces it.
    """
    path, link = state / FILE_NAME, register / _ELSEWHERE / f"{os.getpid()}.env"
    stamped = {_VERSION: version, _PID: str(os.getpid())} | dict(values)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with unfinished.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(env_file.written(stamped))
        file.flush()
        unfinished.replace(path)
        try:
            if state != register:
                _forget_ended(link.parent)
                link.symlink_to(path)
            yield path
        finally:
            link.unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def installations(register: Path = STATE) -> list[Installation]:
    """Return the installations that run now, that of `make up` first."""
    paths = [register / FILE_NAME, *sorted((register / _ELSEWHERE).glob("*.env"))]
    return [_read(path.resolve()) for path in paths if _is_locked(path)]


def is_outdated(register: Path = STATE) -> bool:
    """Return True if the file of `make up` was written by a version that did not stamp and lock it."""
    path = register / FILE_NAME
    return path.exists() and not _is_locked(path) and _VERSION not in env_file.read(path)


def _read(path: Path) -> Installation:
    values = env_file.read(path)
    return Installation(path, values.get(_PID, "unknown"), values.get(_VERSION, "unknown"), values)


def _forget_ended(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for link in folder.glob("*.env"):
        if not _is_locked(link):
            link.unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    """Return True if the process that wrote the file still runs. An unreadable file counts, to be reported."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
