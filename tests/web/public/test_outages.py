"""Hits and consent changes while the database or the disk fails."""

import socket
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, make_url

from engine.ingest import spool
from engine.tracking import tokens
from models import ids
from models import session as database
from tests import processes
from tests.conftest import environment, settled
from tests.web.public.state import TARGET, apply, paused, stored, suppressed, unsaved
from web import process
from web.ingest import group_commit


def test_without_the_database_hits_are_answered_and_stored_when_it_is_back(
    app: Flask, client: FlaskClient, email_id: UUID, signer: tokens.Signer, caplog: pytest.LogCaptureFixture
) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        assert client.get(f"/c/{signer.clicked(email_id, 0, TARGET)}").headers["Location"] == TARGET
        assert client.get(f"/o/{signer.opened(email_id)}.gif").status_code == 200
        processes.until(lambda: "database_unavailable" in caplog.text, "the outage is noticed", within_s=10)
        assert spool.sizes(process.of(app).settings.spool_dir)
        assert unsaved(app) == 0
    assert len(stored()) == 2
    assert caplog.text.count("database_unavailable") == 1


@pytest.mark.parametrize("form", [{"List-Unsubscribe": "One-Click"}, {}])
def test_without_the_database_an_unsubscribe_is_spooled_and_applied_when_it_is_back(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, form: dict[str, str]
) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        answer = client.post(f"/u/{signer.unsubscribe(email_id)}", data=form)
        assert (answer.status_code, "en cuanto resolvamos" in answer.text) == (200, True)
    assert stored() == [("unsubscribed", "unknown" if form else "human")]
    assert suppressed() == ["unsubscribed"]


def test_a_read_only_database_loses_no_hit_and_no_consent_change(
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
        assert "en cuanto resolvamos" in client.post(f"/u/{signer.unsubscribe(email_id)}").text
        processes.until(lambda: "database_unavailable" in caplog.text, "the outage is noticed", within_s=10)
        failures = count_failures()
        for agent in ("a", "b", "c"):
            client.get(f"/o/{signer.opened(email_id)}.gif", headers={"User-Agent": agent})
            before = len(failures)
            processes.until(lambda: len(failures) > before, "a round of the drain has failed")  # noqa: B023  # at once
        assert len(spool.sizes(process.of(app).settings.spool_dir)) <= 3
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        database.engine().dispose()
    assert sorted(stored()) == 4 * [("opened", "unknown")] + [("unsubscribed", "human")]
    assert (suppressed(), "event_refused" in caplog.text) == (["unsubscribed"], False)


def count_failures() -> list[object]:
    """Return a list that grows with each statement that the database refuses."""
    failures: list[object] = []
    event.listen(database.engine(), "handle_error", failures.append)
    return failures


def test_once_the_database_is_known_to_be_unavailable_no_request_waits_for_it(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, caplog: pytest.LogCaptureFixture
) -> None:
    """Accept connections and send nothing: a client gives up after five seconds."""
    url = f"/u/{signer.unsubscribe(email_id)}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with environment(DATABASE_URL=f"postgresql://cadencia:x@127.0.0.1:{port}/silent"):
            client.get(f"/o/{signer.opened(email_id)}.gif")
            processes.until(lambda: "database_unavailable" in caplog.text, "the outage is noticed", within_s=20)
            began = time.monotonic()
            assert client.get(url).status_code == 200
            for path in ("/pause", "/resume", ""):
                assert client.post(url + path).status_code == 200
            report = {"email_id": ids.public(email_id), "event_type": "converted"}
            assert client.post("/api/v1/events/track", json=report).json["status"] == "waiting"
            assert time.monotonic() - began < 2.0
    processes.until(lambda: len(stored()) == 3, "the spool is drained", within_s=20)
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
def test_without_the_database_consent_changes_are_spooled_and_the_latest_wins(
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


def test_without_database_and_disk_a_consent_change_gets_a_503(
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


def has_unread_data(port: int) -> bool:
    """Return True if a server on this port has not read all that its clients sent (proc(5), /proc/net/tcp)."""
    connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(local.endswith(f":{port:04X}") and not queues.endswith(":00000000")
               for _, local, _, _, queues, *_ in connections)  # fmt: skip


def test_a_hanging_database_delays_no_hit(
    app: Flask, client: FlaskClient, postgres: Any, email_id: UUID, signer: tokens.Signer
) -> None:
    members = processes.family(postgres.pid)
    client.get(f"/o/{signer.opened(email_id)}.gif")  # a connection exists that can hang
    assert len(stored()) == 1
    for member in members:
        member.suspend()
    try:
        began = time.monotonic()
        assert client.get(f"/c/{signer.clicked(email_id, 0, TARGET)}").status_code == 302
        processes.until(lambda: has_unread_data(postgres.port), "the drain waits for the database")
        assert client.get(f"/c/{signer.clicked(email_id, 1, TARGET)}").status_code == 302
        assert time.monotonic() - began < 10.0  # otherwise it waits until the server goes on
        assert group_commit.of(app).size_bytes > 0
    finally:
        for member in reversed(members):
            member.resume()
    assert len(stored()) == 3
    assert unsaved(app) == 0


def test_when_the_disk_fails_hits_are_stored_directly_in_the_database(
    app: Flask, client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    process.of(app).settings.spool_dir.write_text("not a folder")
    assert client.get(f"/o/{signer.opened(email_id)}.gif").status_code == 200
    assert (stored(), unsaved(app)) == ([("opened", "unknown")], 0)
