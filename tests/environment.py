"""The environment of the tests, and this process's caches of it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

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
    "PASSWORD_MIB": "1",  # a hash takes 2 ms instead of 100
}

# Functions whose cached result depends on the environment, by the module that defines them.
_CACHED = {"models.session": "engine", "settings": "current", "models.vault": "current"}


# The engine that was used last. The next test of the same database gets it with its connection: opening one and
# filling its caches takes the server and this process as much CPU as many a test.
_rested: "list[Engine]" = []


def forget_settings() -> None:
    """Clear this process's caches of its environment, so that the next use reads it again."""
    for module, name in _CACHED.items():
        if module not in sys.modules:  # never imported for this: SQLAlchemy alone takes a second
            continue
        cached = getattr(sys.modules[module], name)
        if name == "engine" and cached.cache_info().currsize:
            _rest(cached())
        cached.cache_clear()


def _rest(engine: "Engine") -> None:
    """Close the connections of this engine but a single idle one, and those of the engine before."""
    for other in [other for other in _rested if other is not engine]:
        other.dispose()
    _rested[:] = [engine]
    if _connections(engine) != (1, 0):
        engine.dispose()


def _connections(engine: "Engine") -> tuple[int, int]:
    """Return the numbers of connections in the pool and of those in use."""
    from sqlalchemy import QueuePool

    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedin(), engine.pool.checkedout()


def kept_session() -> int:
    """Return the server's process id of the connection that this process has kept open, 0 without one.

    It equals a new one: this rolls back its transaction, and its prepared statements with it.
    """
    from sqlalchemy.exc import DBAPIError

    for engine in _rested:
        try:
            if _connections(engine) == (1, 0):
                with engine.connect() as connection:
                    return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        except DBAPIError:  # a test took its server or its database away
            engine.dispose()
    return 0


def _forget_broker() -> None:
    """Let the next bell make a new publisher: the thread that rings them keeps the broker of its first bell."""
    sys.modules.pop("celery_config", None)  # Celery imports it to read the URL of the broker
    if "engine.bell" in sys.modules:
        sys.modules["engine.bell"]._ringer.cache_clear()


def settled() -> None:
    """Wait until the hits that this process answered are in the database."""
    for thread in threading.enumerate():
        if thread.name == "spool-drain":
            thread.join(10)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set these environment variables for the block; caches of other values are cleared."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    has_other_broker = before.get("CELERY_BROKER_URL") != values.get("CELERY_BROKER_URL")
    forget_settings()
    if has_other_broker:
        _forget_broker()
    try:
        yield
    finally:
        forget_settings()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if has_other_broker:
            _forget_broker()
