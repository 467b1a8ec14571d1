"""Database connections of a process: one engine, its pool, and transactions."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from random import uniform
from time import monotonic, sleep
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session as Session  # for web and worker, which may not import sqlalchemy
from sqlalchemy.pool import ConnectionPoolEntry

import settings
from errors import Unavailable
from models import arrays as arrays  # registers its types, which a connection takes over when it is opened

# Serialization failure, deadlock: the transaction was rolled back and may run again.
_RETRYABLE = {"40001", "40P01"}

# Read-only standby, out of resources, shutdown, system error: the same statement may succeed later.
_UNAVAILABLE = ("25006", "53", "57P", "58")

PLANS_LAST_S = 5.0  # a campaign adds some 35,000 rows in this time

# The words around the server's own: `connection failed: connection to server at "…", port 5432 failed: FATAL:  …`
_PLACE = re.compile(r"^.*?\b(?:at|on) (?:socket )?\".*?\bfailed: (?:[A-Z]+:\s+)?")
_PREFIX = re.compile(r"^connection (?:failed|is bad): ")

T = TypeVar("T")


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Return the engine of this process; created at first use, so never before a fork (rule R21)."""
    configured = settings.current()
    url = configured.database_url.get_secret_value()
    return _created(url, pooler=configured.database_pooler, pool_size=configured.web_threads)


@lru_cache(maxsize=1)
def _created(url: str, *, pooler: str, pool_size: int) -> Engine:
    """Return the engine of these settings: the same one, with its compiled statements, when they are read again."""
    connect_args: dict[str, Any] = {"connect_timeout": 5, "application_name": "cadencia"}
    if pooler == "transaction":
        connect_args["prepare_threshold"] = None
    created = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=5,
        pool_pre_ping=True,  # replace a connection that broke while idle (rule R22)
        connect_args=connect_args,
    )
    listen(created, "connect", _use_utc)
    if pooler != "transaction":
        listen(created, "checkout", _discard_old_plans)
    return created


def _use_utc(connection: psycopg.Connection, _record: object) -> None:
    """Set the time zone by a statement: a pooler refuses the startup parameter `options`, but keeps a time zone."""
    connection.autocommit = True
    connection.execute("SET TIME ZONE 'UTC'")
    connection.autocommit = False


def _discard_old_plans(connection: psycopg.Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Discard the plans of prepared statements that may be too old for the current sizes of the tables.

    PostgreSQL keeps a generic plan until the next ANALYZE of its tables. A plan made for a table with few rows scans
    all of it, also when it has grown (measured: a claim of 150 e-mails took 15 s, and a tick during the first campaign
    after such an ANALYZE 0.2 s instead of 1 ms). Raises DisconnectionError, so that the pool opens another connection.
    """
    now = monotonic()
    if now - record.info.setdefault("planned_at", now) > PLANS_LAST_S:
        record.info["planned_at"] = now
        try:
            connection.autocommit = True
            connection.execute("DISCARD PLANS")
            connection.autocommit = False
        except psycopg.OperationalError as broken:  # since the pool looked at it
            raise DisconnectionError(str(broken)) from None


def after_fork() -> None:
    """Forget the parent's connections without closing them, because the parent uses them (rule R21)."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
    for cached in (engine, _created, _autocommitting):
        cached.cache_clear()


def libpq_variables() -> dict[str, str]:
    """Return the environment with which programs of PostgreSQL, such as psql, reach the database of the settings."""
    url = settings.current().database_url.get_secret_value()
    options = psycopg.pq.Conninfo.parse(url.encode())
    return {option.envvar.decode(): option.val.decode() for option in options if option.envvar and option.val}


@contextmanager
def transaction() -> Iterator[Session]:
    """Open a session; commit at the end of the block, roll back if it raises.

    Raises Unavailable if the database cannot be reached or accepts no work, or if it confirms no commit.
    """
    with unavailable_raised(), Session(engine(), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def statement() -> Iterator[Session]:
    """Open a session in autocommit mode, which saves the round trips of BEGIN and COMMIT.

    It is for a single statement, or for the reads of a page: each sees what is committed when it begins, as in a
    transaction of the level "read committed". Raises Unavailable as `transaction` does.
    """
    with unavailable_raised(), autocommitting() as session:
        yield session


def autocommitting() -> Session:
    """Return a session in autocommit mode, to be closed and used within `unavailable_raised`: see `statement`."""
    return Session(_autocommitting(engine()))


@lru_cache(maxsize=1)
def _autocommitting(engine: Engine) -> Engine:
    """Return an engine on the same pool in autocommit mode; to make one takes half as long as a statement."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def unavailable_raised() -> Iterator[None]:
    """Raise Unavailable, with the server's own words, if the database cannot be reached or accepts no work."""
    try:
        yield
    except PoolExhausted:
        raise Unavailable("database: no connection became free in time") from None
    except DBAPIError as error:
        if _is_unavailable(error):
            raise _unavailable(error) from error
        raise


def _unavailable(error: DBAPIError) -> Unavailable:
    """Return the error with the first line that the server or the network gave; callers do not get its address."""
    line = _PREFIX.sub("", str(error.orig).strip().partition("\n")[0])
    return Unavailable(f"database: not reachable: {line}", public=f"database: not reachable: {_PLACE.sub('', line)}")


def _is_unavailable(error: DBAPIError) -> bool:
    """Return True if the database is unavailable, False if it refused a statement.

    A failed connect has no SQLSTATE (measured with psycopg 3.3).
    """
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return error.connection_invalidated or state.startswith(_UNAVAILABLE)
    return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)


def is_invalid_input(error: Exception) -> bool:
    """Return True if the input itself is invalid, so that a retry cannot help."""
    return not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError)


def retrying(work: Callable[[Session], T], *, within_s: float = 30.0) -> T:
    """Run `work` in a transaction of its own; retry with back-off after a deadlock or serialization failure.

    Only for work that may be repeated from its start.
    """
    deadline, pause = monotonic() + within_s, 0.05
    while True:
        try:
            with transaction() as session:
                return work(session)
        except DBAPIError as error:
            may_retry = getattr(error.orig, "sqlstate", None) in _RETRYABLE
            if not may_retry or monotonic() + pause > deadline:
                raise
        sleep(uniform(pause / 2, pause))  # noqa: S311  # jitter, not a secret
        pause = min(pause * 2, 2.0)
