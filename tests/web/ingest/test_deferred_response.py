"""Deferred responses of a real granian: sent after the sync, without occupying threads."""

import select
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.ingest import drain
from engine.tracking import tokens
from local import ports
from models.session import retrying, transaction
from tests import mails, processes
from tests.conftest import environment

TARGET = "https://agenda.example/cadencia"
READERS = 20  # more than the server has threads


@dataclass
class Server:
    """The application on a slow disk."""

    port: int
    process: subprocess.Popen[bytes]
    ready: Path

    def ask(self, path: str, agent: str) -> socket.socket:
        """A connection on which this was asked for."""
        asked = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n".encode())
        return asked


@pytest.fixture
def server(ledger: str, tmp_path: Path) -> Iterator[Server]:
    ready, port = tmp_path / "ready", ports.free()
    set_up = environment(DISK_READY=str(ready), SPOOL_DIR=str(tmp_path / "spool"))
    with set_up, processes.running(tmp_path / "log") as running:
        yield Server(port, running.web(port, app="tests.web.ingest.slow_disk:create_app"), ready)


@pytest.fixture
def asked(server: Server) -> list[socket.socket]:
    """Request pixels and clicks of many readers."""
    signer = tokens.Signer(settings.current().tracking_ring)
    with transaction() as session:
        email_id = mails.mail(session).id
    paths = [f"/o/{signer.opened(email_id)}.gif", f"/c/{signer.clicked(email_id, 1, TARGET)}"] * (READERS // 2)
    return [server.ask(path, f"reader {number}") for number, path in enumerate(paths)]


def statuses(asked: list[socket.socket]) -> list[str]:
    return [each.recv(4096).split(b"\r\n")[0].decode() for each in asked]


def stored() -> int:
    with transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM events")) or 0)


def test_no_hit_is_answered_before_it_is_synced_and_none_occupies_a_thread(
    server: Server, asked: list[socket.socket]
) -> None:
    assert select.select(asked, [], [], 0.5)[0] == []
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as answer:
        assert answer.status == 200
    assert select.select(asked, [], [], 0.1)[0] == []
    server.ready.touch()
    assert statuses(asked) == ["HTTP/1.1 200 OK", "HTTP/1.1 302 Found"] * (READERS // 2)
    processes.until(lambda: stored() == READERS, "all are in the ledger", within_s=10)


def test_a_stopping_server_sends_its_deferred_responses(server: Server, asked: list[socket.socket]) -> None:
    assert select.select(asked, [], [], 0.5)[0] == []
    server.process.terminate()
    server.ready.touch()
    assert statuses(asked) == ["HTTP/1.1 200 OK", "HTTP/1.1 302 Found"] * (READERS // 2)
    assert server.process.wait(15) == 0
    drain.spools(server.ready.with_name("spool"), run=retrying, now=clock.now())  # as the next process does
    assert stored() == READERS
