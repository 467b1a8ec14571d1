"""The database connection of a process: one engine, and transactions on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from random import uniform
from time import monotonic, sleep
from typing import TypeVar

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session as Session  # for web and worker, which may not import sqlalchemy

import settings
from errors import Unavailable

# Serialization failure, deadlock: the transaction was undone whole and may simply run again.
_UNDONE = {"40001", "40P01"}

T = TypeVar("T")


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process; made at first use, so never before a fork (rule R21)."""
    url = settings.current().database_url.get_secret_value().replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        url,
        pool_size=settings.current().web_threads,
        max_overflow=4,
        pool_pre_ping=True,
        pool_timeout=5,
        connect_args={"connect_timeout": 5, "application_name": "cadencia", "options": "-c timezone=UTC"},
    )


def after_fork() -> None:
    """Forget the parent's connections without closing them: they are the parent's (rule R21)."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
        engine.cache_clear()


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose work is committed at the end of the block, or undone whole when it raises.

    Raises Unavailable when the database is not there, or went away before it confirmed the commit.
    """
    try:
        with Session(engine(), expire_on_commit=False) as session, session.begin():
            yield session
    except PoolExhausted:
        raise Unavailable("database: no connection became free in time") from None
    except DBAPIError as error:
        if is_connection_lost(error):
            raise Unavailable("database: not reachable") from error
        raise


def is_connection_lost(error: DBAPIError) -> bool:
    """Whether the database went away, rather than refused a statement.

    By type, not by SQLSTATE: a failed connect carries none (measured with psycopg 3.3).
    """
    return error.connection_invalidated or type(error.orig).__name__ in {
        "OperationalError",
        "InterfaceError",
        "AdminShutdown",
    }


def retrying(work: Callable[[Session], T], *, within_s: float = 30.0) -> T:
    """Run `work` in a transaction of its own; again, with back-off, when the database undid it.

    Only for work that may run again from its start: a deadlock or serialization failure undid all of it.
    """
    deadline, pause = monotonic() + within_s, 0.05
    while True:
        try:
            with transaction() as session:
                return work(session)
        except DBAPIError as error:
            undone = getattr(error.orig, "sqlstate", None) in _UNDONE
            if not undone or monotonic() + pause > deadline:
                raise
        sleep(uniform(pause / 2, pause))  # noqa: S311  # jitter, not a secret
        pause = min(pause * 2, 2.0)
