"""Prefer: wait=N, while another transaction changes the ledger."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from models import Email
from models.session import transaction
from tests.web.examples import send
from web import process
from web.http import prefer_wait

URL = "/api/v1/emails/send"
SENT_AT = datetime(2024, 1, 15, 10, 0, 7, tzinfo=UTC)


def settled(**columns: Any) -> Callable[[], None]:
    """Sets the one e-mail of the ledger as soon as it is there."""

    def settle() -> None:
        for _ in range(500):
            with transaction() as session:
                if session.scalars(update(Email).values(columns).returning(Email.id)).all():
                    return
            sleep(0.01)

    return settle


def wait(client: FlaskClient, headers: dict[str, str], change: Callable[[], None], prefer: str = "wait=20") -> Any:
    other = threading.Thread(target=change)
    other.start()
    answer = client.post(URL, json=send(), headers=headers | {"Prefer": prefer})
    other.join()
    return answer


def test_the_call_answers_with_the_true_sent_at_when_the_server_took_the_mail(
    client: FlaskClient, sender: dict[str, str]
) -> None:
    began = monotonic()
    answer = wait(client, sender, settled(status="sent", sent_at=SENT_AT))
    assert monotonic() - began < 5
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=20")
    assert set(answer.json) == {"status", "email_id", "sent_at"}
    assert (answer.json["status"], answer.json["sent_at"]) == ("success", "2024-01-15T10:00:07Z")


def test_the_call_tells_that_it_failed_when_the_server_refused(client: FlaskClient, sender: dict[str, str]) -> None:
    answer = wait(client, sender, settled(status="failed", reason="policy"))
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["sent_at"], answer.json["reason"]) == ("failed", None, "policy")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"status": "queued", "reason": "deferred", "attempts": 1}, "deferred"), ({"status": "in_doubt"}, "in_doubt")],
)
def test_the_call_does_not_wait_for_what_takes_minutes(
    client: FlaskClient, sender: dict[str, str], columns: dict[str, Any], reason: str
) -> None:
    began = monotonic()
    answer = wait(client, sender, settled(**columns))
    assert monotonic() - began < 5
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=20")
    assert (answer.json["status"], answer.json["reason"]) == ("success", reason) and answer.json["sent_at"]


def test_the_call_answers_202_when_the_time_is_up(client: FlaskClient, sender: dict[str, str]) -> None:
    began = monotonic()
    answer = client.post(URL, json=send(), headers=sender | {"Prefer": "respond-async, wait=1"})
    assert 0.9 < monotonic() - began < 3
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")
    assert answer.json["status"] == "success" and answer.json["sent_at"]


def test_the_call_does_not_wait_when_a_third_of_the_threads_do(
    app: Flask, client: FlaskClient, sender: dict[str, str]
) -> None:
    with app.app_context():
        places, occupied = process.current().wait_slots, 0
        while places.acquire(blocking=False):
            occupied += 1
    assert occupied == 16 // 3
    began = monotonic()
    answer = client.post(URL, json=send(), headers=sender | {"Prefer": "wait=10"})
    assert (answer.status_code, "Preference-Applied" in answer.headers) == (202, False)
    assert monotonic() - began < 2


def test_a_repetition_of_a_call_that_waited_gets_what_it_got(client: FlaskClient, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    first = wait(client, keyed, settled(status="sent", sent_at=SENT_AT))
    again = client.post(URL, json=send(), headers=keyed)
    assert (again.status_code, again.data) == (200, first.data)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5), ("WAIT = 5", 5), ('wait="7"', 7), ("respond-async, wait=10", 10), ("wait=31", 30),
        ("wait=999999", 30), ("wait=0", 0), ("", 0), ("wait", 0), ("wait=", 0), ("wait=-1", 0), ("wait=1.5", 0),
        ("await=5", 0), ("wait=9999999", 0), ("handling=lenient; wait=3", 3),
    ],
)  # fmt: skip
def test_seconds_reads_the_header(prefer: str, seconds: int) -> None:
    assert prefer_wait.seconds(prefer) == seconds
