"""Tracking over HTTP: no login, CORS, limits, and refused events."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from models import Event, ids
from models.session import transaction
from tests.conftest import environment, settled
from tests.web import applications
from tests.web.examples import JSON, fields, send
from web import process
from web.ingest import group_commit

URL = "/api/v1/events/track"
AWAY = "postgresql://cadencia:x@127.0.0.1:9/gone"


@pytest.fixture
def email_id(client: FlaskClient, sender: dict[str, str]) -> str:
    answer = client.post("/api/v1/emails/send", json=send(), headers=sender)
    return str(answer.json["email_id"])


def stored() -> list[Event]:
    with transaction() as session:
        return list(session.scalars(select(Event).order_by(Event.id)))


def event(email_id: str, **changes: Any) -> dict[str, Any]:
    return {"email_id": email_id, "event_type": "opened", "timestamp": "2024-01-15T10:05:00Z", **changes}


def test_track_takes_the_specified_call_without_a_token(client: FlaskClient, email_id: str) -> None:
    answer = client.post(URL, json=event(email_id, event_type="converted"))
    assert (answer.status_code, answer.json["status"]) == (202, "success")
    [row] = stored()
    assert (row.event_type, row.timestamp, row.source) == (
        "converted",
        datetime(2024, 1, 15, 10, 5, tzinfo=UTC),
        "unknown",
    )


def test_the_same_event_twice_is_stored_once_and_has_one_id(client: FlaskClient, email_id: str) -> None:
    first, again = (client.post(URL, json=event(email_id)) for _ in range(2))
    assert (first.status_code, first.json["event_id"]) == (again.status_code, again.json["event_id"])
    assert [first.json["duplicate"], again.json["duplicate"]] == [False, True]
    assert len(stored()) == 1


def test_a_click_may_come_before_its_open_and_before_the_sending(client: FlaskClient, email_id: str) -> None:
    for event_type in ("clicked", "opened"):
        assert client.post(URL, json=event(email_id, event_type=event_type)).status_code == 202
    assert [row.held for row in stored()] == [True, True]


def test_a_future_moment_counts_as_now(client: FlaskClient, email_id: str) -> None:
    assert client.post(URL, json=event(email_id, timestamp="2999-01-01T00:00:00Z")).status_code == 202
    [row] = stored()
    assert abs(row.timestamp - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_event_without_a_moment_happened_now(client: FlaskClient, email_id: str) -> None:
    body = {"email_id": str(ids.parse(email_id)), "event_type": "clicked"}
    assert client.post(URL, json=body).status_code == 202
    assert abs(stored()[0].timestamp - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_unknown_mail_is_404(client: FlaskClient, email_id: str) -> None:
    for unknown in (ids.public(ids.new()), "email_123", ""):
        assert client.post(URL, json=event(unknown)).status_code == 404, unknown
    assert stored() == []


def test_an_invalid_event_is_422_by_field(client: FlaskClient, email_id: str) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        (event(email_id, event_type="bounced"), "event_type"),
        (event(email_id, event_type="OPENED"), "event_type"),
        (event(email_id, event_type=None), "event_type"),
        (event(email_id, timestamp="2024-01-15T10:05:00"), "timestamp"),
        (event(email_id, timestamp="2024-01-15"), "timestamp"),
        (event(email_id, timestamp="yesterday"), "timestamp"),
        (event(email_id, timestamp=1_705_312_800), "timestamp"),
        (event(email_id, timestamp="1705312800"), "timestamp"),
        (event(email_id, timestamp="0001-01-01T00:00:00+14:00"), "timestamp"),
        (event(email_id, timestamp="9999-12-31T23:59:59-14:00"), "timestamp"),
        (event(email_id, timestamp="2024-13-45T10:05:00Z"), "timestamp"),
        (event(email_id, data={}), "data"),
        ({"event_type": "opened"}, "email_id"),
        (event(7), "email_id"),  # type: ignore[arg-type]
    ]
    for body, field in cases:
        answer = client.post(URL, json=body)
        assert (answer.status_code, fields(answer)) == (422, {field}), body
    assert stored() == []


def test_a_body_over_8_kb_is_413(client: FlaskClient, email_id: str) -> None:
    assert client.post(URL, data=b" " * 8_001 + b"{}", headers=JSON).status_code == 413


def test_named_sites_may_call_it_from_a_browser_and_others_not(ledger: str) -> None:
    with environment(CORS_ORIGINS="https://landing.example, https://otra.example", DATABASE_URL=ledger):
        client = applications.create().test_client()
        asked = client.options(URL, headers={"Origin": "https://otra.example", "Access-Control-Request-Method": "POST"})
        assert (asked.status_code, asked.data) == (204, b"")
        assert asked.headers["Access-Control-Allow-Methods"] == "POST"
        assert asked.headers["Access-Control-Allow-Origin"] == "https://otra.example"
        assert asked.headers["Access-Control-Allow-Headers"] == "Content-Type"
        answer = client.post(URL, json=event("email_1"), headers={"Origin": "https://landing.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://landing.example"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        for origin in ("https://evil.example", "null", ""):
            asked = client.options(URL, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
            assert asked.status_code == 204
            assert not [name for name, _ in asked.headers if name.startswith("Access-Control")]
            answer = client.post(URL, json=event("email_1"), headers={"Origin": origin})
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Origin" in answer.headers["Vary"]
        assert (
            "Access-Control-Allow-Origin"
            not in client.post("/api/v1/emails/send", headers={"Origin": "https://otra.example"}).headers
        )


def test_events_are_limited_by_address(ledger: str) -> None:
    with environment(TRACK_RATE="3 per minute", DATABASE_URL=ledger):
        client = applications.create().test_client()
        statuses = [client.post(URL, data=b"x").status_code for _ in range(4)]
        assert statuses == [415, 415, 415, 429]
        other = client.post(URL, data=b"x", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
        assert other.status_code == 415


def many(client: FlaskClient, events: Any) -> Any:
    answer = client.post(URL, json=events)
    assert answer.status_code == 202, answer.text
    return answer.json


@pytest.mark.parametrize("bare", [False, True])
def test_a_list_tells_what_became_of_each(client: FlaskClient, email_id: str, bare: bool) -> None:
    unknown, good = event(ids.public(ids.new())), event(email_id)
    events = [
        good,
        good,
        unknown,
        event(email_id, event_type="bounced"),
        "no object",
        event(email_id, event_type="clicked"),
    ]
    answered = many(client, events if bare else {"events": events})
    statuses = [result["status"] for result in answered["results"]]
    assert statuses == ["stored", "duplicate", "refused", "refused", "refused", "stored"]
    assert [answered[name] for name in ("status", "stored", "duplicates", "refused")] == ["partial", 2, 1, 3]
    faults = [result["errors"][0]["field"] for result in answered["results"] if result["errors"]]
    assert faults == ["events[2].email_id", "events[3].event_type", "events[4].body"]
    assert (
        answered["results"][0]["event_id"] == answered["results"][1]["event_id"] != answered["results"][5]["event_id"]
    )
    assert len(stored()) == 2
    assert [result["status"] for result in many(client, {"events": [good]})["results"]] == ["duplicate"]


def test_a_thousand_are_taken_and_no_more(client: FlaskClient, email_id: str) -> None:
    moments = [f"2024-01-15T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z" for n in range(1_000)]
    events = [event(email_id, timestamp=moment) for moment in moments]
    assert many(client, {"events": events})["stored"] == 1_000
    wrong: object
    for wrong in ([*events, events[0]], []):
        assert client.post(URL, json={"events": wrong}).status_code == 422
        assert client.post(URL, json=wrong).status_code == 422
    assert len(stored()) == 1_000


def test_each_event_of_a_list_counts_for_the_rate(ledger: str) -> None:
    with environment(TRACK_RATE="10 per minute", DATABASE_URL=ledger):
        client = applications.create().test_client()
        statuses = [client.post(URL, json=[event("email_1")] * size).status_code for size in (6, 4, 1)]
        assert statuses == [202, 202, 429]
        over = client.post(URL, json=[event("email_1")] * 50, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
        assert over.status_code == 202  # otherwise such a list could never be answered


def test_an_event_long_ago_or_before_its_mail_is_kept_with_a_mark(client: FlaskClient, email_id: str) -> None:
    now = datetime.now(UTC)
    moments = [now - timedelta(days=31), now - timedelta(hours=1), now + timedelta(days=1), now]
    answered = many(client, [event(email_id, timestamp=moment.isoformat()) for moment in moments])
    assert answered["stored"] == 4
    assert ["late" in row.event_data for row in sorted(stored(), key=lambda row: row.timestamp)][:2] == [True, True]
    assert sum("late" in row.event_data for row in stored()) == 2
    assert sum("claimed_timestamp" in row.event_data for row in stored()) == 1


def test_details_are_kept_apart_from_what_we_observe(client: FlaskClient, email_id: str) -> None:
    details = {"method": "GET", "plan": "pro", "price": 12.5, "first": True}
    assert client.post(URL, json=event(email_id, event_data=details)).status_code == 202
    assert stored()[0].event_data == {"reported": details, "late": True}
    wrong: object
    for wrong in ({"a": "x" * 201}, {"": 1}, {"a": {}}, {f"k{n}": n for n in range(21)}, "text"):
        assert client.post(URL, json=event(email_id, event_data=wrong)).status_code == 422, wrong


def test_json_may_come_as_plain_text_to_this_route_alone(client: FlaskClient, email_id: str) -> None:
    body = json.dumps(event(email_id))
    assert client.post(URL, data=body, headers={"Content-Type": "text/plain;charset=UTF-8"}).status_code == 202
    assert client.post("/api/v1/auth/token", data="{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post(URL, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}).status_code == 415


def test_without_the_database_an_event_is_kept_and_stored_when_it_is_back(client: FlaskClient, email_id: str) -> None:
    converted = event(email_id, event_type="converted", event_data={"plan": "pro"})
    with environment(DATABASE_URL=AWAY):
        kept = [client.post(URL, json=converted) for _ in range(2)]
    assert [answer.status_code for answer in kept] == [202, 202]
    assert kept[0].json == {"status": "waiting", "event_id": kept[1].json["event_id"], "duplicate": None}
    settled()
    [row] = stored()
    assert (row.event_type, row.event_data) == ("converted", {"reported": {"plan": "pro"}, "late": True})
    again = client.post(URL, json=converted).json
    assert (again["duplicate"], again["event_id"]) == (True, kept[0].json["event_id"])


def test_without_the_database_a_list_is_kept_but_for_what_is_wrong(client: FlaskClient, email_id: str) -> None:
    unknown, good = event(ids.public(ids.new())), event(email_id, timestamp=datetime.now(UTC).isoformat())
    with environment(DATABASE_URL=AWAY):
        answered = many(client, [good, unknown, event(email_id, event_type="bounced"), good])
        assert client.post(URL, json=event("email_123")).status_code == 404
        assert client.post(URL, json=event(email_id, event_type="bounced")).status_code == 422
        assert many(client, [event("email_123")])["refused"] == 1
    assert [result["status"] for result in answered["results"]] == ["waiting", "waiting", "refused", "waiting"]
    assert [answered[name] for name in ("status", "stored", "waiting", "refused")] == ["partial", 0, 3, 1]
    settled()
    assert [row.event_data for row in stored()] == [{}]


def test_without_database_and_disk_the_caller_is_told_to_send_again(
    app: Flask, client: FlaskClient, email_id: str
) -> None:
    process.of(app).settings.spool_dir.write_text("not a folder")
    with environment(DATABASE_URL=AWAY):
        for body in (event(email_id), [event(email_id)]):
            answer = client.post(URL, json=body)
            assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


def test_reports_fill_no_room_that_hits_and_unsubscribings_need(ledger: str) -> None:
    """Meanwhile an unknown id cannot be recognised, so events of unknown e-mails are spooled, too."""
    with environment(SPOOL_LIMIT_BYTES="10000", DATABASE_URL=AWAY):
        app = applications.create()
        client, unknown = app.test_client(), ids.new()
        statuses = [client.post(URL, json=[event(ids.public(unknown))] * 20).status_code for _ in range(4)]
        assert statuses[0] == 202 and statuses[-1] == 503
        assert client.post(f"/u/{process.of(app).signer.unsubscribe(unknown)}").status_code == 200
        assert client.get(f"/o/{process.of(app).signer.opened(unknown)}.gif").status_code == 200
        assert group_commit.of(app).unsaved == 0
    settled()
    assert stored() == []
