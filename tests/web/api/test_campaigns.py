"""Campaigns over HTTP: drawn up, launched, paused, resumed, shown."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from engine import clock
from engine.audience import contacts, suppressions
from models.session import transaction
from tests import sequence
from tests.sequence import REFUSED, VARIABLES, send_due
from tests.web.examples import fields

URL = "/api/v1/campaigns"
STEPS = [{"template": "email_1_roi"}, {"template": "email_2_caso", "delay_s": 86_400}]


@pytest.fixture
def marketer(bearer: Callable[..., dict[str, str]]) -> dict[str, str]:
    return bearer("campaigns")


def wanted(**changes: Any) -> dict[str, Any]:
    return {"name": "Otoño", "steps": STEPS, "variables": VARIABLES, **changes}


def created(client: FlaskClient, marketer: dict[str, str], **changes: Any) -> str:
    answer = client.post(URL, json=wanted(**changes), headers=marketer)
    assert answer.status_code == 201, answer.json
    campaign_id: str = answer.json["id"]
    return campaign_id


def people(count: int) -> None:
    with transaction() as session:
        sequence.people(session, count)


def test_a_campaign_goes_from_draft_to_its_funnel(client: FlaskClient, marketer: dict[str, str]) -> None:
    people(3)
    campaign_id = created(client, marketer, timezone="Europe/Madrid")
    launched = client.post(f"{URL}/{campaign_id}/launch", headers=marketer)
    assert (launched.status_code, launched.json["state"]) == (200, "running")
    with transaction() as session:
        assert len(send_due(session, now=clock.now())) == 3
    shown = client.get(f"{URL}/{campaign_id}", headers=marketer).json
    assert (shown["name"], shown["state"], shown["timezone"]) == ("Otoño", "running", "Europe/Madrid")
    assert shown["funnel"]["enrolled"] == 3
    assert [(step["step"], step["sent"]) for step in shown["funnel"]["steps"]] == [(1, 3), (2, 0)]
    listed = client.get(URL, headers=marketer).json["campaigns"]
    assert [campaign["id"] for campaign in listed] == [campaign_id]


def test_enroll_counts_those_who_may_not_be_mailed(client: FlaskClient, marketer: dict[str, str]) -> None:
    people(3)
    with transaction() as session:
        banned = contacts.ensure(session, ["contacto0@empresa.example"], now=clock.now())
        suppressions.add(session, banned, "unsubscribed", now=clock.now())
    campaign_id = created(client, marketer)
    answer = client.post(f"{URL}/{campaign_id}/enroll", json={"contact_ids": [str(banned[0])]}, headers=marketer)
    assert answer.json == {"enrolled": 1, "stopped": {"unsubscribed": 1}, "complete": True}
    again = client.post(f"{URL}/{campaign_id}/enroll", json={}, headers=marketer)
    assert again.json == {"enrolled": 2, "stopped": {}, "complete": True}
    unknown = client.post(f"{URL}/{campaign_id}/enroll", json={"contact_ids": [str(uuid4())]}, headers=marketer)
    assert (unknown.status_code, fields(unknown)) == (422, {"contact_ids"})


def test_a_pause_may_have_a_reason_and_resume_goes_on(client: FlaskClient, marketer: dict[str, str]) -> None:
    people(1)
    campaign_id = created(client, marketer)
    client.post(f"{URL}/{campaign_id}/launch", headers=marketer)
    at_once = client.post(f"{URL}/{campaign_id}/pause", headers=marketer)
    assert (at_once.status_code, at_once.json["state"], at_once.json["reason"]) == (200, "paused", None)
    assert client.post(f"{URL}/{campaign_id}/resume", headers=marketer).status_code == 200
    paused = client.post(f"{URL}/{campaign_id}/pause", json={"reason": "precio"}, headers=marketer)
    assert (paused.json["state"], paused.json["reason"]) == ("paused", "precio")
    assert client.post(f"{URL}/{campaign_id}/launch", headers=marketer).status_code == 409
    resumed = client.post(f"{URL}/{campaign_id}/resume", headers=marketer)
    assert (resumed.json["state"], resumed.json["reason"]) == ("running", None)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"variables": {}}, {"variables.link_calendly"}),
        ({"timezone": "Marte"}, {"timezone"}),
        ({"steps": []}, {"steps"}),
        ({"steps": [{"template": "nada"}]}, {"steps[0].template"}),
        ({"steps": [{"template": "email_1_roi", "delay_s": "1"}]}, {"steps[0].delay_s"}),
        ({"steps": [{"template": "email_1_roi", "weekdays": [9]}]}, {"steps[0].weekdays"}),
        ({"steps": [{"template": "email_1_roi", "delay_s": 10**30}]}, {"steps[0].delay_s"}),
        ({"audience": {"industry": []}}, {"audience.industry"}),
        ({"name": "x" * 101}, {"name"}),
        ({"surprise": 1}, {"surprise"}),
    ],
)
def test_create_names_the_fields_at_fault_and_stores_nothing(
    client: FlaskClient, marketer: dict[str, str], changes: dict[str, Any], named: set[str]
) -> None:
    answer = client.post(URL, json=wanted(**changes), headers=marketer)
    assert (answer.status_code, fields(answer)) == (422, named)
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM campaigns")) == 0


def test_create_answers_the_same_when_it_is_repeated_with_its_key(
    client: FlaskClient, marketer: dict[str, str]
) -> None:
    headers = {**marketer, "Idempotency-Key": "otoño-1".encode("ascii", "ignore").decode()}
    first = client.post(URL, json=wanted(), headers=headers)
    again = client.post(URL, json=wanted(), headers=headers)
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.post(URL, json=wanted(), headers=marketer).status_code == 409


def test_refused_emails_are_retried(client: FlaskClient, marketer: dict[str, str]) -> None:
    people(3)
    campaign_id = created(client, marketer)
    client.post(f"{URL}/{campaign_id}/launch", headers=marketer)
    with transaction() as session:
        send_due(session, REFUSED, now=clock.now())
    answers = [
        client.post(f"{URL}/{campaign_id}/retry", json={"reason": "refused"}, headers=marketer).json for _ in range(2)
    ]
    assert answers == [{"queued": 3, "kept": {}}, {"queued": 0, "kept": {}}]
    with transaction() as session:
        assert len(send_due(session, now=clock.now())) == 3
    unknown = client.post(f"{URL}/{campaign_id}/retry", json={"reason": "bounced"}, headers=marketer)
    assert (unknown.status_code, fields(unknown)) == (422, {"reason"})
    missing = client.post(f"{URL}/{uuid4()}/retry", json={"reason": "refused"}, headers=marketer)
    assert missing.status_code == 404


@pytest.mark.parametrize("action", ["launch", "resume"])
def test_unknown_campaigns_are_not_found(client: FlaskClient, marketer: dict[str, str], action: str) -> None:
    assert client.post(f"{URL}/{uuid4()}/{action}", headers=marketer).status_code == 404
    assert client.get(f"{URL}/{uuid4()}", headers=marketer).status_code == 404
    assert client.get(f"{URL}/no-id", headers=marketer).status_code == 422


def test_every_route_asks_for_its_scope(client: FlaskClient, bearer: Callable[..., dict[str, str]]) -> None:
    reader, sender = bearer("reports"), bearer("send")
    assert client.get(URL, headers=reader).status_code == 200
    assert client.post(URL, json=wanted(), headers=reader).status_code == 403
    assert client.get(URL, headers=sender).status_code == 403
    assert client.post(f"{URL}/{uuid4()}/launch").status_code == 401


def test_a_launch_reports_its_audience_and_starts_now_on_demand(client: FlaskClient, marketer: dict[str, str]) -> None:
    people(3)
    never = {"template": "email_1_roi", "delay_s": 86_400 * 30}
    campaign_id = created(client, marketer, steps=[never])
    dry = client.post(f"{URL}/{campaign_id}/launch", json={"dry_run": True}, headers=marketer).json
    assert (dry["state"], dry["report"]["enrolled"], dry["report"]["mailed"]) == ("draft", 3, 3)
    assert dry["report"]["summary"][0] == "3 contacts enrolled; 3 get e-mails."
    assert "start-now" in dry["report"]["hints"][0]
    launched = client.post(f"{URL}/{campaign_id}/launch", headers=marketer).json
    assert (launched["state"], launched["report"]["left_out"]) == ("running", {})
    with transaction() as session:
        assert send_due(session, now=clock.now()) == []
    assert client.post(f"{URL}/{campaign_id}/start-now", headers=marketer).json == {"contacts": 3}
    with transaction() as session:
        assert len(send_due(session, now=clock.now())) == 3
    again = created(client, marketer, name="Otra", steps=[never])
    body = {"now": True, "skip_received": True}
    report = client.post(f"{URL}/{again}/launch", json=body, headers=marketer).json["report"]
    assert (report["mailed"], report["left_out"], report["first_email_at"]) == (0, {"received": 3}, None)


def test_a_draft_is_edited_cloned_and_deleted(client: FlaskClient, marketer: dict[str, str]) -> None:
    url = f"{URL}/{created(client, marketer)}"
    edited = client.patch(url, json={"version": 1, "timezone": "Europe/Madrid"}, headers=marketer)
    assert (edited.status_code, edited.json["timezone"], edited.json["version"]) == (200, "Europe/Madrid", 2)
    assert edited.json["variables"] == VARIABLES  # fields that were left out stay
    late = client.patch(url, json={"version": 1, "name": "Invierno"}, headers=marketer)
    assert late.status_code == 409 and late.json["detail"].startswith("version: somebody has edited it meanwhile")
    wrong = client.patch(
        url, json={"version": 2, "steps": [{"template": "nada"}], "timezone": "Marte"}, headers=marketer
    )
    assert (wrong.status_code, fields(wrong)) == (422, {"steps[0].template", "timezone"})
    assert fields(client.patch(url, json={"name": "x"}, headers=marketer)) == {"version"}
    copied = client.post(f"{url}/clone", headers=marketer)
    assert (copied.status_code, copied.json["name"], copied.json["state"]) == (201, "Otoño (copy)", "draft")
    assert client.delete(f"{URL}/{copied.json['id']}", headers=marketer).json == {"id": copied.json["id"]}
    assert client.get(f"{URL}/{copied.json['id']}", headers=marketer).status_code == 404


def test_a_campaign_is_cancelled_for_good(client: FlaskClient, marketer: dict[str, str]) -> None:
    people(2)
    url = f"{URL}/{created(client, marketer)}"
    client.post(f"{url}/launch", headers=marketer)
    cancelled = client.post(f"{url}/cancel", json={"reason": "fin de la oferta"}, headers=marketer)
    assert (cancelled.json["state"], cancelled.json["reason"], cancelled.json["stopping"]) == (
        "cancelled", "fin de la oferta", True,
    )  # fmt: skip
    for action in ("cancel", "launch", "resume", "start-now"):
        assert client.post(f"{url}/{action}", headers=marketer).status_code == 409, action
    assert client.delete(url, headers=marketer).status_code == 409
