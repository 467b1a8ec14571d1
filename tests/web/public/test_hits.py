"""Pixels and clicks: the answers, and the events that are stored."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import Client

import settings
from engine.delivery import early_events
from engine.tracking import events, tokens
from models import Email, Event, ids
from models.session import transaction
from tests.conftest import environment, settled
from tests.web import applications
from tests.web.public.state import TARGET, apply, stored
from web import process
from web.ingest.email_limit import HITS_PER_MINUTE


def test_the_pixel_is_a_gif_of_43_bytes_that_is_not_cached(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    answer = client.get(f"/o/{signer.opened(email_id)}.gif")
    assert (answer.status_code, answer.content_type, len(answer.data)) == (200, "image/gif", 43)
    assert answer.data.startswith(b"GIF89a")
    assert "no-store" in answer.headers["Cache-Control"]
    assert stored() == [("opened", "unknown")]


def test_a_head_request_for_the_pixel_gets_its_headers_and_is_a_machines(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/o/{signer.opened(email_id)}.gif"
    answer = client.head(url)
    assert (answer.status_code, answer.data) == (200, b"")
    assert stored() == [("opened", "unknown")]  # until it is classified
    apply()
    assert stored() == [("opened", "machine")]
    assert sorted(answer.headers) == sorted(client.get(url).headers)


def test_a_hit_stores_how_it_was_made_and_no_address(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    headers = {"User-Agent": 'A reader\'s \u00fc \\ "mail" program ' + "x" * 400, "Sec-Purpose": "prefetch"}
    client.get(f"/c/{signer.clicked(email_id, 7, TARGET)}", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.77"})
    client.get(f"/o/{signer.opened(email_id)}.gif", environ_base={"REMOTE_ADDR": "192.0.2.78"})
    settled()
    with transaction() as session:
        rows = list(session.scalars(select(Event).order_by(Event.id)))
        click, opened = [row.event_data for row in rows]
    assert (click["link"], click["method"], click["network"], click["purpose"]) == (7, "GET", "other", "prefetch")
    assert len(click["agent"]) == 300 and '\\ "mail"' in click["agent"]
    assert click["prefix"] == opened["prefix"] and len(click["prefix"]) == 16
    assert not any("192.0.2" in str(row.event_data) for row in rows)


def test_hits_of_one_second_are_one_unless_their_request_differs(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    request = {"method": "GET", "agent": "a", "network": "other", "prefix": "0" * 16}
    others = [{**request, name: "b"} for name in request]
    incoming = [events.IncomingEvent(email_id, "opened", now, data) for data in (request, request, *others)]
    with transaction() as session:
        assert early_events.record(session, incoming, now=now) == [True, False, True, True, True, True]


@pytest.mark.parametrize("method", ["get", "head"])
def test_the_front_answers_as_the_views_behind_it_do(
    app: Flask, email_id: UUID, signer: tokens.Signer, method: str
) -> None:
    """Headers and body, for pixel and click; the views are reached without the front."""
    behind = Client(app.wsgi_app._behind, app.response_class)  # type: ignore[attr-defined]
    for url in (f"/o/{signer.opened(email_id)}.gif", f"/c/{signer.clicked(email_id, 1, TARGET)}"):
        fast, plain = (getattr(client, method)(url) for client in (app.test_client(), behind))
        assert (fast.status, fast.data) == (plain.status, plain.data)
        assert sorted(fast.headers) == sorted(plain.headers)


def test_a_click_redirects_to_exactly_its_target(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    answer = client.get(f"/c/{signer.clicked(email_id, 2, TARGET)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, TARGET)
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert stored() == [("clicked", "unknown")]


def test_a_head_request_for_a_click_is_a_machines(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    answer = client.head(f"/c/{signer.clicked(email_id, 2, TARGET)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, TARGET)
    assert stored() == [("clicked", "unknown")]
    apply()
    assert stored() == [("clicked", "machine")]
    with transaction() as session:
        assert session.execute(select(Email.clicked_at, Email.machine_clicked_at.is_not(None))).one() == (None, True)


def test_an_invalid_token_gets_a_404_page_in_spanish(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    opened, clicked, unsubscribe = (
        signer.opened(email_id),
        signer.clicked(email_id, 0, TARGET),
        signer.unsubscribe(email_id),
    )
    for path in (
        "/o/x.gif", f"/o/{opened[:-1]}.gif", f"/o/{unsubscribe}.gif", "/c/x", f"/c/{clicked[:-2]}AA", f"/c/{opened}",
        "/c/https:evil.example", "/u/x", f"/u/{opened}", "/c/%00", "/u/ñ",
    ):  # fmt: skip
        answer = client.get(path)
        assert (answer.status_code, answer.content_type) == (404, "text/html; charset=utf-8"), path
        assert 'lang="es"' in answer.text, path
    assert client.post(f"/u/{opened}").status_code == 404
    assert client.get(f"/c/{clicked}?dest=https://evil.example").headers["Location"] == TARGET
    assert stored() == [("clicked", "unknown")]


def test_a_click_of_a_deleted_email_redirects_and_stores_nothing(client: FlaskClient, signer: tokens.Signer) -> None:
    assert client.get(f"/c/{signer.clicked(ids.new(), 0, TARGET)}").status_code == 302
    assert client.get(f"/o/{signer.opened(ids.new())}.gif").status_code == 200
    assert stored() == []
    for path in ("", "/undo", "/pause", "/resume"):
        assert client.post(f"/u/{signer.unsubscribe(ids.new())}{path}").status_code == 404


def test_the_address_is_the_one_behind_the_trusted_proxies(email_id: UUID, ledger: str) -> None:
    with environment(TRUSTED_PROXIES="1"):
        app = applications.create()
        url = f"/o/{process.of(app).signer.opened(email_id)}.gif"
        for agent, reader in (("a", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "198.51.100.1")):
            app.test_client().get(url, headers={"X-Forwarded-For": reader, "User-Agent": agent})
        settled()
        with transaction() as session:
            rows = list(session.scalars(select(Event)))
            prefixes = {row.event_data["agent"]: row.event_data["prefix"] for row in rows}
    assert prefixes["a"] == prefixes["b"] != prefixes["c"]


def test_links_of_an_old_key_work_while_it_is_in_the_ring(email_id: UUID, ledger: str) -> None:
    old, new = settings.current().tracking_keys[0].get_secret_value(), "bmV3LXRyYWNraW5nLWtleS1vZi10ZXN0cy0zMi1ieXQ="
    click = f"/c/{tokens.Signer(settings.current().tracking_ring).clicked(email_id, 0, TARGET)}"
    for ring, status in ((f"{new},{old}", 302), (new, 404)):
        with environment(TRACKING_KEYS=ring):
            assert applications.create().test_client().get(click).status_code == status, ring


def test_one_token_cannot_fill_the_ledger(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    """Pixels and clicks of one e-mail count together; all are answered."""
    limit, pixel = HITS_PER_MINUTE, f"/o/{signer.opened(email_id)}.gif"
    answers = {client.get(pixel, headers={"User-Agent": f"n{number}"}).status_code for number in range(limit + 40)}
    assert answers == {200}
    assert limit <= len(stored()) <= 2 * limit  # twice if a minute has just ended
    assert client.get(f"/c/{signer.clicked(email_id, 1, TARGET)}").status_code == 302
