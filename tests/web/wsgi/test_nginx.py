"""nginx.conf, by Debian's nginx in front of a real web server."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import settings
from bench.attacks import clients
from engine.access import bearer_tokens
from engine.tracking import tokens
from local import ports
from models.session import transaction
from tests import mails, processes
from tests.conftest import environment
from tests.web.conftest import holder
from tests.web.wsgi import proxied


@dataclass
class Ports:
    """The ports of nginx and of the web server behind it."""

    nginx: int
    web: int


@pytest.fixture
def at(ledger: str, tmp_path: Path) -> Iterator[Ports]:
    web = ports.free()
    proxy = environment(TRUSTED_PROXIES="1", TRACK_RATE="2 per minute", SPOOL_DIR=str(tmp_path / "spool"))
    with proxy, processes.running(tmp_path / "log") as running, proxied.nginx(tmp_path, web) as nginx:
        running.web(web)
        yield Ports(nginx, web)


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()


def test_a_file_over_the_limit_leads_to_the_page_that_says_so(at: Ports) -> None:
    for page in ("/app/contacts/import", "/app/pictures"):
        connection = http.client.HTTPConnection("127.0.0.1", at.nginx, timeout=20)
        connection.putrequest("POST", page)
        connection.putheader("Content-Length", "200000000")
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Location")) == (303, f"{page}?fault=size")


def test_both_attacks_on_nginx_delay_nobody(at: Ports) -> None:
    with clients.slow_bodies(at.nginx), clients.half_open_headers(at.nginx):
        for path in ("/healthz", "/u/x"):
            waits = clients.waits_s(at.nginx, path, seconds=2, status=404 if path == "/u/x" else 200)
            print(f"{path} p99 {clients.percentile(waits, 99) * 1_000:.0f} ms of {len(waits)}")
            assert waits[-1] < 3.0


def test_nginx_names_one_address_and_keeps_the_ascii_part_of_an_agent(at: Ports) -> None:
    def tracked(forwarded: str) -> int:
        return ask(at.nginx, "POST", "/api/v1/events/track", b"x", X_Forwarded_For=forwarded)[0]

    assert [tracked(f"192.0.2.{number}, 203.0.113.6:4000{number}") for number in range(3)] == [415, 415, 429]
    assert tracked("203.0.113.7") == 415
    with transaction() as session:
        pixel = tokens.Signer(settings.current().tracking_ring).opened(mails.mail(session).id)
    for number, agent in enumerate(("Mozilla/5.0 (Lector Ñandú)", "Mozilla/5.0 (Lector)")):
        assert ask(at.nginx, "GET", f"/o/{pixel}.gif", User_Agent=agent)[0] == 200, number
    processes.until(lambda: len(agents()) == 2, "both hits are stored", within_s=10)
    assert agents() == {"Mozilla/5.0 (Lector ?", "Mozilla/5.0 (Lector)"}
    assert ask(at.web, "GET", f"/o/{pixel}.gif", User_Agent="Mozilla/5.0 (Lector Ñandú)")[0] == 200
    processes.until(lambda: "" in agents(), "the bare server stores it as empty", within_s=10)


def agents() -> set[str]:
    with transaction() as session:
        return set(session.scalars(text("SELECT event_data->>'agent' FROM events")))


def test_a_response_of_nginx_itself_is_a_problem(at: Ports) -> None:
    large = b"x" * 1_100_000
    status, kind, body = ask(at.nginx, "POST", "/api/v1/auth/token", large, Content_Type="application/json")
    assert (status, kind, json.loads(body)["status"]) == (413, "application/problem+json", 413)
    token = bearer_tokens.issue(holder("contacts"), now=datetime.now(UTC)).access
    rows = b"email\n" + (b"x" * 60_000 + b"\n") * 20
    login = {"Authorization": f"Bearer {token}", "Content_Type": "text/csv"}
    assert ask(at.nginx, "POST", "/api/v1/contacts/import", rows, **login)[0] == 200
    assert ask(at.nginx, "GET", "/docs//assets")[0] == 404  # no redirect to the Host of the caller
    with proxied.nginx(Path(settings.current().spool_dir).parent, ports.free()) as alone:
        status, kind, body = ask(alone, "GET", "/healthz")
    assert (status, kind, json.loads(body)["status"]) == (503, "application/problem+json", 503)
