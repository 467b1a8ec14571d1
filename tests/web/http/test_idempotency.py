"""Idempotency-Key: repeated and parallel calls, on a real ledger."""

import hashlib
import json
import threading
from collections import Counter
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from models import Email
from models.session import transaction
from tests.web.examples import fields, send

URL = "/api/v1/emails/send"


def count() -> int:
    with transaction() as session:
        return session.scalar(select(func.count()).select_from(Email)) or 0


def test_a_repeated_call_gets_the_first_answer_to_the_byte(client: FlaskClient, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "order-17"}
    first = client.post(URL, json=send(), headers=keyed)
    again = client.post(URL, json=send(), headers=keyed)
    assert (first.status_code, first.data, first.content_type) == (again.status_code, again.data, again.content_type)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count() == 1


def test_spaces_and_the_order_of_keys_make_no_other_request(client: FlaskClient, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "k", "Content-Type": "application/json"}
    client.post(URL, json=send(), headers=keyed)
    turned = dict(reversed(send().items()))
    assert client.post(URL, json=turned, headers=keyed).headers["Idempotency-Replayed"] == "true"


def test_the_same_key_with_another_body_or_route_is_422(client: FlaskClient, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    client.post(URL, json=send(), headers=keyed)
    for url, body in ((URL, send(to="otra@empresa.example")), ("/api/v1/emails/batch", {"emails": [send()]})):
        answer = client.post(url, json=body, headers=keyed)
        assert (answer.status_code, fields(answer)) == (422, {"Idempotency-Key"})
    assert count() == 1


def test_a_key_that_the_server_blanked_is_422_and_sends_nothing(client: FlaskClient, sender: dict[str, str]) -> None:
    """granian passes on a header outside ASCII as an empty one."""
    for key in ("", "pedido-ñ"):
        for url, body in ((URL, send()), ("/api/v1/emails/batch", {"emails": [send()]})):
            answer = client.post(url, json=body, headers=sender | {"Idempotency-Key": key})
            assert (answer.status_code, fields(answer)) == (422, {"Idempotency-Key"})
    assert count() == 0


def test_a_refused_call_does_not_use_up_its_key(client: FlaskClient, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    assert client.post(URL, json=send(to="nadie"), headers=keyed).status_code == 422
    assert client.post(URL, json=send(), headers=keyed).status_code == 202


def test_each_account_has_keys_of_its_own(client: FlaskClient, bearer: Any) -> None:
    for _ in range(2):
        answer = client.post(URL, json=send(), headers=bearer("send") | {"Idempotency-Key": "k"})
        assert "Idempotency-Replayed" not in answer.headers
    assert count() == 2


def test_a_batch_is_done_once(client: FlaskClient, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    body = {"emails": [send(), send(to="nadie")]}
    first, again = (client.post("/api/v1/emails/batch", json=body, headers=keyed) for _ in range(2))
    assert first.data == again.data
    assert count() == 1


def test_a_key_is_422_when_it_cannot_be_one(client: FlaskClient, sender: dict[str, str]) -> None:
    for key in ("x" * 256, "ñ".encode().decode("latin-1"), "a\tb"):
        answer = client.post(URL, json=send(), headers=sender | {"Idempotency-Key": key})
        assert (answer.status_code, fields(answer)) == (422, {"Idempotency-Key"}), key


def test_a_key_is_free_again_after_48_hours(client: FlaskClient, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    client.post(URL, json=send(), headers=keyed)
    with transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET created_at = created_at - interval '47 hours 59 minutes'"))
    assert "Idempotency-Replayed" in client.post(URL, json=send(), headers=keyed).headers
    with transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET created_at = created_at - interval '2 minutes'"))
    assert "Idempotency-Replayed" not in client.post(URL, json=send(to="b@empresa.example"), headers=keyed).headers
    assert count() == 2


def test_the_stored_fingerprint_is_keyed_and_one_of_the_version_before_is_known(
    client: FlaskClient, sender: dict[str, str]
) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    first = client.post(URL, json=send(), headers=keyed)
    canonical = json.dumps([URL, send()], sort_keys=True, separators=(",", ":")).encode()
    unkeyed = hashlib.sha256(canonical).digest()
    with transaction() as session:
        assert session.scalar(text("SELECT fingerprint FROM idempotency_keys")) != unkeyed
        session.execute(text("UPDATE idempotency_keys SET fingerprint = :old"), {"old": unkeyed})
    assert client.post(URL, json=send(), headers=keyed).data == first.data
    assert client.post(URL, json=send(to="otra@empresa.example"), headers=keyed).status_code == 422
    assert count() == 1


def test_twenty_calls_at_once_send_one_mail(app: Flask, sender: dict[str, str]) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    start, answers = threading.Barrier(20), []

    def call() -> None:
        client = app.test_client()
        start.wait()
        answers.append(client.post(URL, json=send(), headers=keyed))

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {202, 409} and statuses[202] >= 1
    assert len({answer.data for answer in answers if answer.status_code == 202}) == 1
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 409)
    assert count() == 1


def test_a_call_is_409_while_the_first_is_at_work(client: FlaskClient, sender: dict[str, str], app: Flask) -> None:
    keyed = sender | {"Idempotency-Key": "k"}
    with transaction() as session:
        # The lock the first call holds until it commits, held here by hand; released with the transaction.
        session.execute(text("SELECT pg_advisory_xact_lock_shared(:id)"), {"id": _lock_of(app, sender)})
        answer = client.post(URL, json=send(), headers=keyed)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "2")
    assert client.post(URL, json=send(), headers=keyed).status_code == 202


def _lock_of(app: Flask, sender: dict[str, str]) -> int:
    from engine.access import idempotency
    from web.http import tokens

    with app.app_context():
        account_id = tokens.read(sender["Authorization"].removeprefix("Bearer ")).account_id
    return idempotency.lock(idempotency.key(account_id, "k", route=URL, body=None))
