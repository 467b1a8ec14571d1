"""One temporary folder for a whole test run, its child processes included; removed at its end."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "cadencia-tests-"
_LOCK = "lock"


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder, point TMPDIR at it, and remove it at the end.

    A run that was killed could not remove its folder; its lock is free, so the next run removes it.
    """
    system = Path(tempfile.gettempdir())
    _remove_abandoned(system)
    scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=system))
    scratch.chmod(0o711)  # started by root, PostgreSQL runs as another account
    with (scratch / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(system))  # pytest keeps the folders of the last three runs
        os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            os.environ["TMPDIR"] = tempfile.tempdir = str(system)


def _remove_abandoned(system: Path) -> None:
    for path in system.glob(f"{_PREFIX}*/{_LOCK}"):
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # another run is using it
            shutil.rmtree(path.parent, ignore_errors=True)
