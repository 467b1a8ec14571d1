"""Deferred responses of a real granian: sent after the sync, without occupying threads."""

import fcntl
import select
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.forms.signer import Signer
from engine.ingest import drain
from engine.tracking import tokens
from local import ports
from models.session import Session, retrying, transaction
from tests import mails, processes
from tests.conftest import environment
from tests.engine.forms import signups
from tests.forkserver import Child

TARGET = "https://agenda.example/cadencia"
READERS = 20  # more than the server has threads


@dataclass
class Server:
    """The application on a slow disk, which works once `gate` is unlocked."""

    port: int
    process: Child
    gate: IO[str]
    requests: Path
    spool: Path

    def ask(self, path: str, agent: str) -> socket.socket:
        """A connection on which this path was requested."""
        asked = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n".encode())
        return asked

    def post(self, path: str, values: dict[str, str]) -> socket.socket:
        """A connection on which this form was sent."""
        posted, body = socket.create_connection(("127.0.0.1", self.port), timeout=10), urlencode(values)
        lines = f"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}"
        posted.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\n\r\n{body}".encode())
        return posted


@pytest.fixture
def server(ledger: str, tmp_path: Path) -> Iterator[Server]:
    gate, requests, spool, port = tmp_path / "gate", tmp_path / "requests", tmp_path / "spool", ports.free()
    set_up = environment(DISK_GATE=str(gate), DISK_REQUESTS=str(requests), SPOOL_DIR=str(spool))
    with gate.open("w") as locked, set_up, processes.running(tmp_path / "log") as running:
        fcntl.flock(locked, fcntl.LOCK_EX)
        process = running.web(port, app="tests.web.ingest.slow_disk:create_app")
        requests.write_text("")  # without those to /healthz
        yield Server(port, process, locked, requests, spool)


@pytest.fixture
def asked(server: Server) -> list[socket.socket]:
    """Connections on which readers requested pixels and clicks; each request has begun."""
    signer = tokens.Signer(settings.current().tracking_ring)
    with transaction() as session:
        email_id = mails.mail(session).id
    paths = [f"/o/{signer.opened(email_id)}.gif", f"/c/{signer.clicked(email_id, 1, TARGET)}"] * (READERS // 2)
    asked = [server.ask(path, f"reader {number}") for number, path in enumerate(paths)]
    processes.until(lambda: len(server.requests.read_text()) == READERS, "all requests wait for the disk")
    return asked


def statuses(asked: list[socket.socket]) -> list[str]:
    return [each.recv(4096).split(b"\r\n")[0].decode() for each in asked]


def waits_for_lock(session: Session) -> bool:
    return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def stored() -> int:
    with transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM events")) or 0)


def test_no_hit_is_answered_before_it_is_synced_and_none_occupies_a_thread(
    server: Server, asked: list[socket.socket]
) -> None:
    assert select.select(asked, [], [], 0)[0] == []
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as answer:
        assert answer.status == 200
    assert select.select(asked, [], [], 0)[0] == []
    fcntl.flock(server.gate, fcntl.LOCK_UN)
    assert statuses(asked) == ["HTTP/1.1 200 OK", "HTTP/1.1 302 Found"] * (READERS // 2)
    processes.until(lambda: stored() == READERS, "all are in the ledger", within_s=10)


def test_no_sign_up_is_answered_before_it_is_committed(server: Server) -> None:
    """Flask streams the page that thanks for it, where pixels and redirects are lists of bytes."""
    with transaction() as session:
        form = signups.create(session)
    shown_at = datetime.now(UTC) - timedelta(minutes=1)
    values = {
        "first_name": "Ana",
        "consent": "1",
        "stamp": Signer(settings.current().tracking_ring).stamp(form.id, shown_at),
    }
    with transaction() as holding:
        holding.execute(text("LOCK TABLE form_submissions IN SHARE MODE"))  # an insert waits
        posted = [server.post("/f/guia", values | {"email": f"p{number}@empresa.example"}) for number in range(3)]
        processes.until(lambda: waits_for_lock(holding), "a sign-up waits for the lock")
        assert select.select(posted, [], [], 0.2)[0] == []
    assert statuses(posted) == ["HTTP/1.1 200 OK"] * 3
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM form_submissions")) == 3


def test_a_stopping_server_sends_its_deferred_responses(server: Server, asked: list[socket.socket]) -> None:
    assert select.select(asked, [], [], 0)[0] == []
    server.process.terminate()
    fcntl.flock(server.gate, fcntl.LOCK_UN)
    assert statuses(asked) == ["HTTP/1.1 200 OK", "HTTP/1.1 302 Found"] * (READERS // 2)
    assert server.process.wait(15) == 0
    drain.spools(server.spool, run=retrying, now=clock.now())  # as the next process does
    assert stored() == READERS
