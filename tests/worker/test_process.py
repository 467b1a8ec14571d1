"""A closed sender leaves nothing behind: no descriptor, no file, no row."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import settings
from engine.delivery import senders
from models.session import transaction
from tests.conftest import environment
from worker import process, rescue


def rows() -> int:
    with transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM senders")) or 0)


def files() -> list[str]:
    folder = settings.current().recorder_dir
    return [path.name for path in folder.iterdir()] if folder.exists() else []


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Let the system refuse larger files to this process, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("ledger")
def test_a_recorder_that_cannot_be_created_leaves_no_descriptor_no_file_and_no_row() -> None:
    assert rows() == 0  # the connection of this process is open
    before = sorted(Path("/proc/self/fd").iterdir())
    with files_of_at_most(10_000), pytest.raises(OSError):
        process.open_sender()
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert (rows(), files()) == (0, [])


@pytest.mark.usefixtures("ledger")
def test_the_row_of_a_closed_sender_is_fenced_and_deleted_after_its_time() -> None:
    process.open_sender().close()
    assert (rows(), files()) == (1, [])
    with transaction() as session:
        senders.prune(session, keep=timedelta(hours=1))
    assert rows() == 1
    with transaction() as session:
        senders.prune(session, keep=timedelta(0))
    assert rows() == 0


@pytest.mark.usefixtures("ledger")
def test_a_sender_closed_without_the_database_is_fenced_by_recovery() -> None:
    sender = process.open_sender()
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        sender.close()
    assert rescue.orphans() == 1
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM senders WHERE fenced_at IS NULL")) == 0
    assert files() == []
