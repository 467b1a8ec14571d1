"""Tests of a template, sent by the API."""

from flask.testing import FlaskClient
from sqlalchemy import select

from engine.audience import contacts
from engine.audience.contacts import Draft
from models import Email
from models.session import transaction
from tests import sequence
from tests.conftest import environment
from tests.web import applications
from tests.web.conftest import Call

PATH = "/api/v1/templates/email_1_roi/test"
TO = {"to": ["ana@empresa.example", "bea@empresa.example"]}


def _emails() -> list[Email]:
    with transaction() as session:
        return list(session.scalars(select(Email)))


def test_tests_are_queued_once_for_each_key(client: FlaskClient, bearer: Call) -> None:
    headers = bearer("campaigns") | {"Idempotency-Key": "one"}
    first = client.post(PATH, json=TO, headers=headers)
    again = client.post(PATH, json=TO, headers=headers)
    assert (first.status_code, first.json) == (202, again.json) and len(first.json["email_ids"]) == 2
    assert {(email.kind, email.lane, email.step) for email in _emails()} == {("test", "transactional", None)}
    assert len(_emails()) == 2


def test_the_values_of_a_contact_need_their_scope(client: FlaskClient, bearer: Call) -> None:
    with transaction() as session:
        contacts.upsert(session, [Draft("ana@empresa.example", first_name="Ana")], now=sequence.NOW)
        body = TO | {"contact_id": str(contacts.find(session, "ana@empresa.example"))}
    assert client.post(PATH, json=body, headers=bearer("send")).status_code == 403
    refused = client.post(PATH, json=body, headers=bearer("send", "contacts"))
    assert refused.status_code == 202  # the sample replaces values that the contact lacks


def test_each_fault_is_named(client: FlaskClient, bearer: Call) -> None:
    headers = bearer("send")
    assert client.post("/api/v1/templates/email_1_ro/test", json=TO, headers=headers).status_code == 404
    wrong = client.post(PATH, json={"to": ["ana@empresa.example", "nobody"]}, headers=headers)
    assert wrong.status_code == 422 and wrong.json["errors"][0]["field"] == "to[1]"
    unusable = client.post(PATH, json=TO | {"variables": {"link_calendly": "javascript:alert(1)"}}, headers=headers)
    assert unusable.json["errors"][0]["field"] == "variables.link_calendly"
    assert client.post(PATH, json={"to": ["a@b.example"] * 6}, headers=headers).status_code == 422
    assert client.post(PATH, json=TO, headers=bearer("reports")).status_code == 403
    assert _emails() == []


def test_an_account_has_a_limit(ledger: str, bearer: Call) -> None:
    with environment(TEST_RATE="3 per day", DATABASE_URL=ledger):
        client = applications.create().test_client()
    headers = bearer("send")
    answers = [client.post(PATH, json=TO, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 429] and len(_emails()) == 2
    assert int(answers[1].headers["Retry-After"]) > 1_000
    assert client.post(PATH, json=TO, headers=bearer("send")).status_code == 202  # another account
