"""Fixtures for every test: a fresh database, a broker, a mail server, and the environment that points at them.

They import what they need when they are first used, so that a test of pure code starts at once.
"""

import gc
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import order, scratch
from tests.environment import TEST_ENVIRONMENT, environment, forget_settings, settled

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from sqlalchemy.orm import Session

    from local.mail.mailstore import Mailstore
    from local.postgres import Postgres
    from local.valkey import Valkey
    from tests.databases import Ledger

__all__ = ["TEST_ENVIRONMENT", "environment", "forget_settings", "settled"]

os.environ.update(TEST_ENVIRONMENT)


def pytest_xdist_auto_num_workers() -> int:
    """Return three workers for two cores: the tests of processes wait for them two fifths of the time."""
    return (os.cpu_count() or 2) * 3 // 2


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a temporary folder of its own; test processes of xdist share their controller's."""
    # A job in the background ignores SIGINT, and so would every process that a test starts and interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        run = ExitStack()
        run.enter_context(scratch.folder())
        config.add_cleanup(run.close)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector; modules and tests stay excluded from later collections."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)  # after pytest has put those together that share parameters
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of several test processes in the order that suits those."""
    if hasattr(config, "workerinput"):
        positions = order.spread([item.nodeid for item in items], config.workerinput["workercount"])
        items[:] = [items[position] for position in positions]


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """One PostgreSQL of this test process, with a migrated template database to clone."""
    from tests import services

    with services.embedded_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def databases(postgres: "Postgres") -> "Iterator[Ledger]":
    """The database that the tests of this process use one after the other."""
    import psycopg

    from tests.databases import Ledger

    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        database = Ledger(postgres, admin)
        yield database
        database.drop()


@pytest.fixture
def ledger(databases: "Ledger", tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database without rows that this process is pointed at."""
    url = databases.fresh()
    folders = {"RECORDER_DIR": str(tmp_path / "recorders"), "SPOOL_DIR": str(tmp_path / "spool")}
    with environment(DATABASE_URL=url, LOG_FILE=str(tmp_path / "log"), **folders):
        yield url
        settled()


@pytest.fixture
def session(ledger: str) -> "Iterator[Session]":
    """An open transaction on a fresh database; committed at the end."""
    from models import session as database

    with database.transaction() as opened:
        yield opened


@pytest.fixture(scope="session")
def valkey() -> "Iterator[Valkey]":
    """One Valkey of this test process."""
    from tests import services

    with services.embedded_valkey() as server:
        yield server


@pytest.fixture
def broker(valkey: "Valkey") -> Iterator[str]:
    """The URL of a Valkey that this process is pointed at."""
    with environment(CELERY_BROKER_URL=valkey.url, BELL_ENABLED="true"):
        yield valkey.url


@pytest.fixture
def inbox(ledger: str, tmp_path: Path) -> "Iterator[Mailstore]":
    """The store of a mail server that this process sends to; it has the demo's refusals."""
    from local.mail.mailstore import Mailstore
    from local.mail.receiver import DEMO_RULES, Receiver
    from worker import process

    store = Mailstore(tmp_path / "inbox")
    server = Receiver(store, 0, rules=DEMO_RULES)
    server.start()
    try:
        with environment(SMTP_URL=f"smtp://127.0.0.1:{server.port}", SEND_GROUP_SIZE="25"):
            yield store
            process.close()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    """One browser of this module's tests."""
    from tests import browser

    with browser.started() as opened:
        yield opened
