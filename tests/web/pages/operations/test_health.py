"""The page of health: each part in words, advice for bad ones, and no wait for a Redis that does not answer."""

import socket
from time import monotonic

import pytest
import redis
from flask.testing import FlaskClient
from sqlalchemy import event, text

from engine import health
from engine.delivery import senders
from engine.delivery.relays import redis_store
from engine.delivery.relays.breaker import RelayStatus
from engine.delivery.relays.status import StatusBoard
from local.valkey import Valkey
from models.session import engine, transaction
from tests import sends
from tests.conftest import environment
from tests.web.pages import visitors

PATH = "/app/health"


@pytest.fixture(autouse=True)
def no_relays(valkey: Valkey) -> None:
    """Forget the relays of other tests, whose statuses last 90 s."""
    redis.Redis.from_url(valkey.url).delete(redis_store.PREFIX + "board")


def _well() -> None:
    with transaction() as session:
        session.execute(text("INSERT INTO heartbeats SELECT unnest(ARRAY['sweep', 'call_due began']), now()"))


def test_a_sound_installation_says_so(client: FlaskClient, broker: str) -> None:
    _well()
    page = visitors.visit(client, "ana", "reports", path=PATH)
    assert "Todo va bien." in page.text and "Qué hacer" not in page.text and "Flower" not in page.text
    for words in ("Envío de campañas", "nada pendiente", "ninguno en espera", "Cola sequence"):
        assert words in page.text
    part = client.get(f"{PATH}/lines", headers={"X-Fragment": "1"})
    assert part.status_code == 200 and part.headers["Cache-Control"] == "private, no-cache"


def test_open_pages_share_the_lines_for_a_second(client: FlaskClient, broker: str) -> None:
    """Only the account is read for each of them."""
    _well()
    visitors.visit(client, "ana", "reports", path=PATH)
    for _ in range(100):  # because a busy machine may take a second for two requests
        part = client.get(f"{PATH}/lines")
        asked: list[str] = []

        def note(_: object, __: object, statement: str, *___: object) -> None:
            asked.append(statement)  # noqa: B023  # removed before the next round

        event.listen(engine(), "before_cursor_execute", note)
        again = client.get(f"{PATH}/lines", headers={"If-None-Match": part.headers["ETag"]})
        event.remove(engine(), "before_cursor_execute", note)
        if again.status_code == 304:
            break
    assert again.status_code == 304
    assert len(asked) == 1 and "FROM accounts" in asked[0]


def test_each_bad_part_is_told_with_advice(client: FlaskClient, broker: str) -> None:
    with transaction() as session:
        sends.queue(session, 2)
        sender_id = senders.register(session, "host-a <b>", 1)
        fault = (
            "INSERT INTO template_faults (host, template, reason, retry_at) SELECT host, 'email_x', 'is broken', now() "
            "FROM senders WHERE id = :id"
        )
        session.execute(text(fault), {"id": sender_id})
        session.execute(text("INSERT INTO quarantines (host, folder, files) VALUES ('host-a', 'spool', 3)"))
    StatusBoard(redis_store.configured(), "one").publish(RelayStatus("b.example:587", "open", "it refused us", 1.0))
    with environment(FLOWER_ADDRESS="http://127.0.0.1:5555"):
        page = visitors.visit(client, "ana", "reports", path=PATH)
    shown = page.text
    for words in ("partes necesitan atención", "con retraso", "worker-send", "host-a &lt;b&gt;", "inutilizable",
                  "3 archivos", "b.example:587", "no funciona", "it refused us", "cadencia outbox relays --try",
                  "cadencia-beat"):  # fmt: skip
        assert words in shown, words
    assert "<b>" not in shown


def test_a_redis_that_does_not_answer_costs_its_own_part_and_half_a_second(client: FlaskClient) -> None:
    _well()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with environment(CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0"):
            began = monotonic()
            lines = health.around()
            took_s = monotonic() - began
            page = visitors.visit(client, "ana", "reports", path=PATH)
    assert [(line.part, line.state) for line in lines[-2:]] == [("queue", "unavailable"), ("relay", "unavailable")]
    assert took_s < 1.0
    assert page.text.count("no disponible") == 2 and "Arranque Redis" in page.text and "Revisión" in page.text


def test_the_connection_to_redis_stays_open(client: FlaskClient, broker: str) -> None:
    health.around()
    with redis.Redis.from_url(broker) as reader:
        opened = reader.info("stats")["total_connections_received"]
        health.around()
        assert reader.info("stats")["total_connections_received"] == opened


def test_every_part_and_state_has_words(client: FlaskClient, broker: str) -> None:
    _well()
    with transaction() as session:
        session.execute(text("UPDATE heartbeats SET beaten_at = now() - interval '3 hours'"))
    page = visitors.visit(client, "ana", "reports", path=PATH)
    assert "hace 3 horas" in page.text
    english = client.get(PATH, headers={"Accept-Language": "en"}).text
    assert "3 hours ago" in english and "Due steps" in english and "late" in english
    assert client.get("/app/users").status_code == 403
