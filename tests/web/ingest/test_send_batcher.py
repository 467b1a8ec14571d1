"""Concurrent calls share a transaction, but neither errors nor ids."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import DataError

from engine.delivery.outbox import SendRequest
from errors import Unavailable
from models import Email, vault
from models import session as database
from models.session import transaction
from tests.conftest import environment
from web.ingest.send_batcher import SendBatcher, StoredEmail


def request(number: int, **changes: Any) -> SendRequest:
    values = {"to": f"persona{number}@empresa.example", "template": "email_1_roi", "subject": "Hola", **changes}
    return SendRequest(variables={"number": number}, **values)


def rows() -> dict[str, str]:
    """Return the subject of every e-mail in the database, by its id."""
    with transaction() as session:
        return {email.id.hex: vault.current().decrypt(email.subject) for email in session.scalars(select(Email))}


def test_a_lone_call_is_stored_before_it_returns(ledger: str) -> None:
    stored = SendBatcher().store(request(1))
    assert rows() == {stored.email_id.hex: "Hola"}


def test_every_call_gets_the_id_of_its_own_email_in_fewer_commits_than_calls(ledger: str) -> None:
    batcher, commits = SendBatcher(), []
    event.listen(database.engine(), "commit", lambda _: commits.append(1))
    start = threading.Barrier(24)

    def call(number: int) -> list[tuple[StoredEmail, str]]:
        start.wait()
        return [(batcher.store(request(number, subject=f"{number}/{turn}")), f"{number}/{turn}") for turn in range(20)]

    with ThreadPoolExecutor(24) as pool:
        answers = [answer for mine in pool.map(call, range(24)) for answer in mine]
    assert rows() == {stored.email_id.hex: subject for stored, subject in answers}
    assert len(answers) == 480
    assert len(commits) < 240


def test_the_fault_of_one_call_does_not_affect_the_others(ledger: str) -> None:
    """The database itself refuses a template name of 60 characters, which no validated request has."""
    batcher, start = SendBatcher(), threading.Barrier(12)

    def call(number: int) -> bool:
        start.wait()
        for turn in range(10):
            bad = number == 0 and turn % 3 == 0
            try:
                batcher.store(request(number, template="x" * 60 if bad else "email_1_roi"))
            except DataError as error:
                assert bad and "too long" in str(error)
            else:
                assert not bad
        return True

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(call, range(12)))
    assert len(rows()) == 12 * 10 - 4


def test_all_calls_fail_while_the_database_is_unavailable_and_later_ones_are_stored(ledger: str) -> None:
    batcher = SendBatcher()

    def call(number: int) -> str:
        with pytest.raises(Unavailable) as raised:
            batcher.store(request(number))
        return str(raised.value)

    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"), ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(8))) == {
            'database: not reachable: connection to server at "127.0.0.1", port 9 failed: Connection refused'
        }
    assert batcher.store(request(1)).email_id.hex in rows()
