"""Two transactions that overlap in a chosen order."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.session import transaction

Work = Callable[[Session], None]

_WAITS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def crossing(first: Work, second: Work) -> None:
    """Run `second` in a transaction that starts after the statements of `first` and before its commit.

    The first commits when the second has ended or waits for a lock of it.
    """
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            first(session)
            other = pool.submit(_in_transaction, second)
            while not (other.done() or anyone_waits()):
                pass
        other.result(30)


@contextmanager
def waiting(work: Work, holding: Work) -> Iterator[None]:
    """Run the block while `work`, in a transaction of its own, waits for a lock that `holding` takes; then end it."""
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            holding(session)
            other = pool.submit(_in_transaction, work)
            while not anyone_waits():
                assert not other.done()
            yield
        other.result(30)


def anyone_waits() -> bool:
    """Return True if a transaction waits for a lock of another one."""
    with transaction() as watching:
        return bool(watching.scalar(_WAITS))


def _in_transaction(work: Work) -> None:
    with transaction() as session:
        work(session)
