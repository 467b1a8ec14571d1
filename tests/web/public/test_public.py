"""Pixel, click and unsubscribe: what readers and their machines do, on a real ledger."""

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url, select, text
from werkzeug.test import Client

import settings
import web
from engine.delivery import early_events
from engine.engagement import reactions
from engine.ingest import spool
from engine.tracking import events, tokens
from models import Contact, Email, Event, ids
from models import session as database
from models.session import transaction
from tests import processes
from tests.conftest import environment, settled
from tests.sends import NOW
from tests.web.examples import send
from web import process
from web.public import languages

TARGET = "https://agenda.example/cadencia?a=1&b=%C3%B1#x"


@pytest.fixture
def email_id(client: FlaskClient, sender: dict[str, str]) -> UUID:
    answer = client.post("/api/v1/emails/send", json=send(), headers=sender)
    found = ids.parse(answer.json["email_id"])
    assert found is not None
    with transaction() as session:
        session.execute(text("UPDATE emails SET status = 'sent', sent_at = :now"), {"now": NOW})
    return found


@pytest.fixture
def signer(app: Flask) -> tokens.Signer:
    with app.app_context():
        return process.current().signer


def stored() -> list[Any]:
    settled()
    with transaction() as session:
        return [tuple(row) for row in session.execute(select(Event.event_type, Event.source).order_by(Event.id))]


def stored_nowhere(app: Flask) -> int:
    return process.of(app).ingest.unsaved


def suppressed() -> list[str]:
    with transaction() as session:
        return list(session.scalars(text("SELECT reason FROM suppressions")))


def apply() -> None:
    with transaction() as session:
        reactions.apply(session, now=NOW)


def test_the_pixel_is_43_bytes_of_gif_that_nobody_keeps(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    answer = client.get(f"/o/{signer.opened(email_id)}.gif")
    assert (answer.status_code, answer.content_type, len(answer.data)) == (200, "image/gif", 43)
    assert answer.data.startswith(b"GIF89a")
    assert "no-store" in answer.headers["Cache-Control"]
    assert stored() == [("opened", "unknown")]


def test_a_head_for_the_pixel_gets_its_headers_and_is_a_machines(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/o/{signer.opened(email_id)}.gif"
    answer = client.head(url)
    assert (answer.status_code, answer.data) == (200, b"")
    assert stored() == [("opened", "unknown")]  # until it is judged
    apply()
    assert stored() == [("opened", "machine")]
    assert sorted(answer.headers) == sorted(client.get(url).headers)


def test_a_hit_tells_how_it_was_made_and_no_address(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
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


def test_hits_of_one_second_are_one_unless_someone_else_made_them(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    seen = {"method": "GET", "agent": "a", "network": "other", "prefix": "0" * 16}
    others = [{**seen, name: "b"} for name in seen]
    arrivals = [events.IncomingEvent(email_id, "opened", now, data) for data in (seen, seen, *others)]
    with transaction() as session:
        assert early_events.record(session, arrivals, now=now) == [True, False, True, True, True, True]


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


def test_a_click_leads_to_its_target_to_the_byte(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    answer = client.get(f"/c/{signer.clicked(email_id, 2, TARGET)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, TARGET)
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert stored() == [("clicked", "unknown")]


def test_a_head_for_a_click_is_a_machines(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    answer = client.head(f"/c/{signer.clicked(email_id, 2, TARGET)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, TARGET)
    assert stored() == [("clicked", "unknown")]
    apply()
    assert stored() == [("clicked", "machine")]
    with transaction() as session:
        assert session.execute(select(Email.clicked_at, Email.machine_clicked_at.is_not(None))).one() == (None, True)


def test_a_bad_token_is_a_404_page_in_spanish(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
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


def test_a_mail_that_is_gone_still_redirects_and_stores_nothing(client: FlaskClient, signer: tokens.Signer) -> None:
    assert client.get(f"/c/{signer.clicked(ids.new(), 0, TARGET)}").status_code == 302
    assert client.get(f"/o/{signer.opened(ids.new())}.gif").status_code == 200
    assert stored() == []
    for path in ("", "/undo", "/pause", "/resume"):
        assert client.post(f"/u/{signer.unsubscribe(ids.new())}{path}").status_code == 404


def test_without_the_database_hits_are_answered_and_taken_in_when_it_is_back(
    app: Flask, client: FlaskClient, email_id: UUID, signer: tokens.Signer, caplog: pytest.LogCaptureFixture
) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        assert client.get(f"/c/{signer.clicked(email_id, 0, TARGET)}").headers["Location"] == TARGET
        assert client.get(f"/o/{signer.opened(email_id)}.gif").status_code == 200
        processes.until(lambda: "database_unavailable" in caplog.text, "it was noticed", within_s=10)
        assert spool.sizes(process.of(app).settings.spool_dir)
        assert stored_nowhere(app) == 0
    assert len(stored()) == 2
    assert caplog.text.count("database_unavailable") == 1


@pytest.mark.parametrize("form", [{"List-Unsubscribe": "One-Click"}, {}])
def test_without_the_database_an_unsubscribing_is_kept_and_done_when_it_is_back(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, form: dict[str, str]
) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        answer = client.post(f"/u/{signer.unsubscribe(email_id)}", data=form)
        assert (answer.status_code, "en cuanto pase" in answer.text) == (200, True)
    assert stored() == [("unsubscribed", "unknown" if form else "human")]
    assert suppressed() == ["unsubscribed"]


def test_what_a_database_does_not_take_now_is_kept_until_it_does(
    app: Flask,
    client: FlaskClient,
    email_id: UUID,
    signer: tokens.Signer,
    ledger: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It takes no writes, as a standby that took over, or one whose disk is full."""
    name = make_url(ledger).database
    with psycopg.connect(ledger.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        database.engine().dispose()
        client.get(f"/o/{signer.opened(email_id)}.gif")
        assert "en cuanto pase" in client.post(f"/u/{signer.unsubscribe(email_id)}").text
        processes.until(lambda: "database_unavailable" in caplog.text, "it was noticed", within_s=10)
        for agent in ("a", "b", "c"):
            client.get(f"/o/{signer.opened(email_id)}.gif", headers={"User-Agent": agent})
            time.sleep(0.4)
        assert len(spool.sizes(process.of(app).settings.spool_dir)) <= 3
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        database.engine().dispose()
    assert sorted(stored()) == 4 * [("opened", "unknown")] + [("unsubscribed", "human")]
    assert (suppressed(), "event_refused" in caplog.text) == (["unsubscribed"], False)


def test_once_the_database_is_known_to_be_away_nobody_waits_to_find_that_out(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that says nothing to whoever connects: it takes five seconds to give it up."""
    url = f"/u/{signer.unsubscribe(email_id)}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with environment(DATABASE_URL=f"postgresql://cadencia:x@127.0.0.1:{port}/silent"):
            client.get(f"/o/{signer.opened(email_id)}.gif")
            processes.until(lambda: "database_unavailable" in caplog.text, "it was noticed", within_s=20)
            began = time.monotonic()
            assert client.get(url).status_code == 200
            for path in ("/pause", "/resume", ""):
                assert client.post(url + path).status_code == 200
            told = {"email_id": ids.public(email_id), "event_type": "converted"}
            assert client.post("/api/v1/events/track", json=told).json["status"] == "waiting"
            assert time.monotonic() - began < 2.0
    processes.until(lambda: len(stored()) == 3, "all is taken in", within_s=20)
    assert (suppressed(), paused()) == (["unsubscribed"], False)


@pytest.mark.parametrize(
    ("paths", "reasons", "pauses"),
    [
        (["/pause"], [], True),
        (["/pause", "/resume"], [], False),
        (["", "/undo"], [], False),
        (["", "/undo", ""], ["unsubscribed"], False),
        (["/pause", ""], ["unsubscribed"], True),
    ],
)
def test_without_the_database_whatever_a_reader_asks_for_is_kept_and_the_last_word_holds(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, paths: list[str], reasons: list[str], pauses: bool
) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        for path in paths:
            answer = client.post(f"/u/{signer.unsubscribe(email_id)}{path}", headers={"Accept-Language": "en"})
            assert (answer.status_code, "as soon as" in answer.text) == (200, True), path
    settled()
    assert (suppressed(), paused()) == (reasons, pauses)
    apply()
    assert suppressed() == reasons


def test_without_database_and_disk_a_reader_is_told_to_come_again(
    app: Flask, client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    process.of(app).settings.spool_dir.write_text("not a folder")
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        for path in ("", "/undo", "/pause", "/resume"):
            answer = client.post(f"/u/{signer.unsubscribe(email_id)}{path}")
            assert (answer.status_code, 'lang="es"' in answer.text, "Retry-After" in answer.headers) == (
                503,
                True,
                True,
            )


def test_a_database_that_hangs_keeps_no_reader_waiting(
    app: Flask, client: FlaskClient, postgres: Any, email_id: UUID, signer: tokens.Signer
) -> None:
    members = processes.family(postgres.pid)
    client.get(f"/o/{signer.opened(email_id)}.gif")  # a connection is there to hang on
    assert len(stored()) == 1
    for member in members:
        member.suspend()
    try:
        began = time.monotonic()
        assert client.get(f"/c/{signer.clicked(email_id, 0, TARGET)}").status_code == 302
        time.sleep(0.3)  # the thread that takes hits in hangs by now
        assert client.get(f"/c/{signer.clicked(email_id, 1, TARGET)}").status_code == 302
        assert time.monotonic() - began < 2.0
        assert process.of(app).ingest.size_bytes > 0
    finally:
        for member in reversed(members):
            member.resume()
    assert len(stored()) == 3
    assert stored_nowhere(app) == 0


def test_when_the_disk_fails_hits_go_straight_into_the_ledger(
    app: Flask, client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    process.of(app).settings.spool_dir.write_text("not a folder")
    assert client.get(f"/o/{signer.opened(email_id)}.gif").status_code == 200
    assert (stored(), stored_nowhere(app)) == ([("opened", "unknown")], 0)


def test_fetching_the_unsubscribe_page_a_hundred_times_changes_nothing(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    for _ in range(100):
        assert client.get(url).status_code == 200
    assert client.head(url).status_code == 200
    page = client.get(url).text
    assert f'<form method="post" action="{url}">' in page and "Darme de baja" in page
    assert (stored(), suppressed()) == ([], [])


@pytest.mark.parametrize(
    ("form", "source"),
    [({"List-Unsubscribe": "One-Click"}, "unknown"), ({"confirmar": "baja"}, "human"), ({}, "human")],
)
def test_a_post_unsubscribes_at_once_without_cookie_or_redirect(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, form: dict[str, str], source: str
) -> None:
    answer = client.post(f"/u/{signer.unsubscribe(email_id)}", data=form)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert suppressed() == ["unsubscribed"]
    assert stored() == [("unsubscribed", source)]
    apply()
    with transaction() as session:
        assert session.scalar(select(Contact.email_followup_status)) == "unsubscribed"


@pytest.mark.parametrize("applied_before_undo", [True, False])
def test_an_undo_takes_it_back_whether_the_event_was_applied_or_not(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, applied_before_undo: bool
) -> None:
    step: Callable[[], None] = apply if applied_before_undo else lambda: None
    url = f"/u/{signer.unsubscribe(email_id)}"
    assert f'action="{url}/undo"' in client.post(url).text
    step()
    assert client.post(f"{url}/undo").status_code == 200
    apply()
    assert suppressed() == []
    with transaction() as session:
        assert session.scalar(select(Contact.email_followup_status)) == "new"


def test_an_undo_revives_no_dead_address(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    client.post(url)
    with transaction() as session:
        session.execute(text("UPDATE suppressions SET reason = 'complaint'"))
    client.post(f"{url}/undo")
    assert suppressed() == ["complaint"]


@pytest.mark.parametrize("language", languages.SHIPPED)
def test_the_pages_load_nothing_but_their_style_and_tell_nobody(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, language: str
) -> None:
    speak(language)
    url = f"/u/{signer.unsubscribe(email_id)}"
    answers = [client.get(url), *(client.post(url + path) for path in ("", "/undo", "/pause", "/resume"))]
    for answer in (*answers, client.get("/u/x", headers={"Accept-Language": language})):
        assert "script" not in answer.text and 'name="robots" content="noindex"' in answer.text
        assert (answer.text.count("<h1>"), f'<html lang="{language}">' in answer.text) == (1, True)
        told = answer.headers
        assert "default-src 'none'; style-src 'self'; form-action 'self'" in told["Content-Security-Policy"]
        assert (told["Referrer-Policy"], told["Cache-Control"]) == ("no-referrer", "no-store")
    assert client.get("/style/readers.css").content_type.startswith("text/css")


def test_the_callers_address_is_that_behind_the_trusted_proxies(email_id: UUID, ledger: str) -> None:
    with environment(TRUSTED_PROXIES="1"):
        app = web.create_app()
        url = f"/o/{process.of(app).signer.opened(email_id)}.gif"
        for agent, reader in (("a", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "198.51.100.1")):
            app.test_client().get(url, headers={"X-Forwarded-For": reader, "User-Agent": agent})
        settled()
        with transaction() as session:
            rows = list(session.scalars(select(Event)))
            prefixes = {row.event_data["agent"]: row.event_data["prefix"] for row in rows}
    assert prefixes["a"] == prefixes["b"] != prefixes["c"]


def test_links_of_an_old_key_work_as_long_as_it_is_in_the_ring(email_id: UUID, ledger: str) -> None:
    old, new = settings.current().tracking_keys[0].get_secret_value(), "bmV3LXRyYWNraW5nLWtleS1vZi10ZXN0cy0zMi1ieXQ="
    click = f"/c/{tokens.Signer(settings.current().tracking_ring).clicked(email_id, 0, TARGET)}"
    for ring, status in ((f"{new},{old}", 302), (new, 404)):
        with environment(TRACKING_KEYS=ring):
            assert web.create_app().test_client().get(click).status_code == status, ring


def speak(locale: str | None) -> None:
    with transaction() as session:
        session.execute(text("UPDATE contacts SET locale = :locale"), {"locale": locale})


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en", "en"), ("en-GB", "en"), ("EN_us", "en"), ("es-MX", "es"), ("fr", "es"), ("", "es"), (None, "es")],
)
def test_the_pages_speak_the_contacts_language_else_the_templates(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, locale: str | None, language: str
) -> None:
    speak(locale)
    url = f"/u/{signer.unsubscribe(email_id)}"
    assert f'<html lang="{language}">' in client.get(url).text
    for path in ("", "/undo", "/pause", "/resume"):
        answer = client.post(url + path)
        assert (answer.status_code, f'<html lang="{language}">' in answer.text) == (200, True), path


def test_each_language_has_every_page() -> None:
    pages = [{page.name for page in (languages._FOLDER / shipped).iterdir()} for shipped in languages.SHIPPED]
    assert len(pages) >= 2 and len(pages[0]) == 7
    assert all(each == pages[0] for each in pages)


def test_without_a_mail_the_pages_speak_the_browsers_language(client: FlaskClient) -> None:
    for asked, language in (("en-GB,en;q=0.9,es;q=0.5", "en"), ("fr", "es")):
        answer = client.get("/u/x", headers={"Accept-Language": asked})
        assert (answer.status_code, f'lang="{language}"' in answer.text) == (404, True)


def paused() -> bool:
    with transaction() as session:
        return bool(session.scalar(text("SELECT bool_or(paused_until > now()) FROM contacts")))


def test_a_pause_is_asked_for_by_post_alone_and_can_be_taken_back(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    assert f'action="{url}/pause"' in client.get(url).text
    for method in ("GET", "HEAD", "OPTIONS"):
        client.open(f"{url}/pause", method=method, headers={"Sec-Purpose": "prefetch"})
    assert not paused()
    for _ in range(2):
        answer = client.post(f"{url}/pause")
        assert (answer.status_code, paused()) == (200, True)
    assert f'action="{url}/resume"' in answer.text and f'action="{url}"' in answer.text
    assert client.post(f"{url}/resume").status_code == 200
    assert not paused()
    assert (stored(), suppressed()) == ([], [])


def test_scanners_change_nothing_whatever_they_fetch_with(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    for method in ("GET", "HEAD", "OPTIONS"):
        for path in ("", "/undo", "/pause", "/resume"):
            for purpose in ({}, {"Sec-Purpose": "prefetch"}, {"X-Moz": "prefetch"}):
                assert client.open(url + path, method=method, headers=purpose).status_code in (200, 405)
    assert (stored(), suppressed(), paused()) == ([], [], False)
