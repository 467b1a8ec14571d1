"""What every test may ask for: a fresh ledger, a broker, and the environment that points at them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.orm import Session

import settings
from local.mail.inbox import Inbox
from local.mail.mailstore import Mailstore
from local.mail.receiver import DEMO_RULES
from models import migrations, vault
from models import session as database
from tests.services import embedded_postgres, embedded_valkey
from worker import process

TEST_ENVIRONMENT = {
    "JWT_SECRET_KEY": "a secret of the tests, at least 32 bytes long",
    "FERNET_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "INDEX_KEY": "an index key of the tests, 32 bytes or more",
    "TRACKING_KEYS": "dHJhY2tpbmcta2V5LW9mLXRlc3RzLTMyLWJ5dGVzLiE=",
    "MAIL_FROM": "Cadencia <hola@cadencia.example>",
    "SMTP_URL": "smtp://127.0.0.1:9",
    "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "BELL_ENABLED": "false",
    "ENVIRONMENT": "test",
}
os.environ.update(TEST_ENVIRONMENT)

_numbers = count(1)


def forget_settings() -> None:
    """Drop what this process made from its environment, so that the next use reads it anew."""
    if database.engine.cache_info().currsize:
        database.engine().dispose()
    for cached in (settings.current, vault.current, database.engine):
        cached.cache_clear()


def settled() -> None:
    """Wait until the hits that this process answered are in the ledger."""
    for thread in threading.enumerate():
        if thread.name == "spool-drain":
            thread.join(10)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """The process with these variables in its environment, and all that was made from it made anew."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    forget_settings()
    try:
        yield
    finally:
        forget_settings()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """One PostgreSQL of this test process, with a migrated template database to clone."""
    with embedded_postgres() as server:
        server.create("template")
        with environment(DATABASE_URL=server.url("template")):
            migrations.upgrade()
        yield server


@pytest.fixture
def ledger(postgres: Any, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database that this process is pointed at."""
    name = f"ledger_{next(_numbers)}"
    admin = postgres.url("postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    url = postgres.url(name)
    folders = {"RECORDER_DIR": str(tmp_path / "recorders"), "SPOOL_DIR": str(tmp_path / "spool")}
    with environment(DATABASE_URL=url, LOG_FILE=str(tmp_path / "log"), **folders):
        yield url
        settled()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def session(ledger: str) -> Iterator[Session]:
    """An open transaction on a fresh ledger; committed at the end."""
    with database.transaction() as opened:
        yield opened


@pytest.fixture(scope="session")
def valkey() -> Iterator[Any]:
    """One Valkey of this test process."""
    with embedded_valkey() as server:
        yield server


@pytest.fixture
def broker(valkey: Any) -> Iterator[str]:
    """The URL of a Valkey that this process is pointed at."""
    with environment(CELERY_BROKER_URL=valkey.url, BELL_ENABLED="true"):
        yield valkey.url


@pytest.fixture
def inbox(ledger: str, tmp_path: Path) -> Iterator[Mailstore]:
    """The store of a mail server that this process sends to; it has the demo's refusals."""
    store = Mailstore(tmp_path / "inbox")
    with (
        Inbox(store, rules=DEMO_RULES) as server,
        environment(SMTP_URL=f"smtp://127.0.0.1:{server.smtp_port}", SEND_GROUP_SIZE="25"),
    ):
        yield store
        process.close()
