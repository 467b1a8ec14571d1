"""The database connection of a process: one engine, and transactions on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from random import uniform
from time import monotonic, sleep
from typing import TypeVar

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session as Session  # for web and worker, which may not import sqlalchemy

import settings
from errors import Unavailable

# Serialization failure, deadlock: the transaction was undone whole and may simply run again.
_UNDONE = {"40001", "40P01"}

# A standby, no memory or disk or connections, shut down, an error of its system: it may take the same later.
_AWAY = ("25006", "53", "57P", "58")

T = TypeVar("T")


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process; made at first use, so never before a fork (rule R21)."""
    url = settings.current().database_url.get_secret_value().replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        url,
        pool_size=settings.current().web_threads,
        max_overflow=4,
        pool_timeout=5,
        pool_pre_ping=True,  # replace a connection that broke while idle (rule R22)
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

    Raises Unavailable when the database is not there or takes nothing now, or went away before it confirmed the commit.
    """
    with _loss_told(), Session(engine(), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def statement() -> Iterator[Session]:
    """A session for a single statement, which is a transaction of its own: BEGIN and COMMIT are round trips, too.

    Raises Unavailable as `transaction` does.
    """
    with _loss_told(), Session(engine().execution_options(isolation_level="AUTOCOMMIT")) as session:
        yield session


@contextmanager
def _loss_told() -> Iterator[None]:
    try:
        yield
    except PoolExhausted:
        raise Unavailable("database: no connection became free in time") from None
    except DBAPIError as error:
        if is_away(error):
            raise Unavailable("database: not reachable") from error
        raise


def is_away(error: DBAPIError) -> bool:
    """Whether the database went away or takes nothing now, rather than refused a statement.

    A connect that failed or timed out carries no SQLSTATE (measured with psycopg 3.3).
    """
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return error.connection_invalidated or state.startswith(_AWAY)
    return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)


def is_refusal(error: Exception) -> bool:
    """Whether what was given is at fault and will be refused ever again, rather than the database or others at work."""
    return not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError)


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
