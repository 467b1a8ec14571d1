"""The lease of a group is renewed while it is sent; a database that fails meanwhile puts nothing in doubt."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from engine import clock
from engine.delivery import audit, recorder
from errors import Fenced, Unavailable
from local.postgres import Postgres
from models.session import transaction
from tests import sends
from tests.conftest import environment
from tests.engine.delivery.smtp.servers import Server
from tests.processes import until
from worker import drain, process, rescue

LANE = "transactional"
AWAIT = 5  # the message whose reply is withheld until something has happened


def queue(count: int) -> list[UUID]:
    with transaction() as session:
        return sends.queue(session, count, now=clock.now())


def statuses() -> Counter[str]:
    with transaction() as session:
        report = audit.run(session)
        assert report.findings == ()
    return Counter(report.statuses)


class Away:
    """Makes the database unavailable for all clients, and available again."""

    def __init__(self, ledger: str, server: psycopg.Connection[Any]) -> None:
        self._name = ledger.rpartition("/")[2]
        self._server = server

    def begin(self) -> None:
        self._server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false".encode())
        self._server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self._name])

    def end(self) -> None:
        self._server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true".encode())


@pytest.fixture
def away(ledger: str, postgres: Postgres) -> Iterator[Away]:
    """A database that can be made unavailable."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
        away = Away(ledger, server)
        yield away
        away.end()


@contextmanager
def sending(happens: Callable[[], None], **settings: str) -> Iterator[Server]:
    """Let the mail server call `happens` before it answers the message number `AWAIT`."""
    count, gate = iter(range(1, 1_000)), threading.Lock()

    def rule(event: str, _: object) -> None:
        if event == "DOT":
            with gate:
                is_chosen = next(count) == AWAIT
            if is_chosen:
                happens()

    with Server(rule).running() as server, environment(SMTP_URL=server.url, SMTP_CONNECTIONS="1", **settings):
        yield server
        process.close()


def test_a_database_that_fails_at_the_renewal_puts_nothing_in_doubt(
    away: Away, caplog: pytest.LogCaptureFixture
) -> None:
    def leased_until() -> object:
        with transaction() as session:
            return session.scalar(text("SELECT leased_until FROM send_groups WHERE state = 'open'"))

    def fail_once() -> None:
        before = leased_until()
        away.begin()
        until(lambda: "lease_not_renewed" in caplog.text, "a renewal has failed")
        away.end()
        until(lambda: leased_until() != before, "the lease is renewed")

    with caplog.at_level(logging.WARNING), sending(fail_once, LEASE_S="4") as server:
        queue(60)
        drain.drain(LANE)
        assert len(server.accepted) == 60
    assert statuses() == {"sent": 60}
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM senders")) == 1  # it went on with the same sender


def test_a_database_that_stays_away_ends_the_group_before_its_lease(away: Away) -> None:
    """The recorder has the answers that were read; the other e-mails are given back."""

    def stay_away() -> None:
        away.begin()
        lease_ends = process.current().recorder.lease_ends
        until(lambda: recorder.boot_s() > lease_ends, "the lease is over")

    with sending(stay_away, LEASE_S="1") as server:
        queue(60)
        with pytest.raises((Unavailable, Fenced)):
            drain.drain(LANE)
        answered = len(server.accepted)
        assert answered == AWAIT
        away.end()
        assert rescue.orphans() == 1
        assert statuses() == Counter({"sent": answered, "queued": 60 - answered})
        drain.drain(LANE)
        assert len(server.accepted) == 60
    assert statuses() == {"sent": 60}


@pytest.mark.usefixtures("ledger")
def test_a_sender_that_was_fenced_ends_its_group_at_the_renewal() -> None:
    def fence() -> None:
        with transaction() as session:
            session.execute(text("UPDATE senders SET fenced_at = now()"))
        wait.wait(10)

    wait = threading.Event()
    with sending(fence, LEASE_S="2"):
        queue(60)
        with pytest.raises(Fenced, match="fenced"):
            drain.drain(LANE)
        wait.set()
