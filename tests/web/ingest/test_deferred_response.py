"""Answers to hits, held by a real granian until they are on disk, without a thread of its own that waits for each."""

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
    goes: Path

    def ask(self, path: str, agent: str) -> socket.socket:
        """A connection on which this was asked for."""
        asked = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n".encode())
        return asked


@pytest.fixture
def server(ledger: str, tmp_path: Path) -> Iterator[Server]:
    goes, port = tmp_path / "goes", ports.free()
    set_up = environment(DISK_GOES=str(goes), SPOOL_DIR=str(tmp_path / "spool"))
    with set_up, processes.running(tmp_path / "log") as running:
        yield Server(port, running.web(port, app="tests.web.ingest.slow_disk:create_app"), goes)


@pytest.fixture
def asked(server: Server) -> list[socket.socket]:
    """Pixels and clicks of many readers, on their way."""
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


def test_no_hit_is_answered_before_it_is_on_disk_and_none_keeps_a_thread(
    server: Server, asked: list[socket.socket]
) -> None:
    assert select.select(asked, [], [], 0.5)[0] == []
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as answer:
        assert answer.status == 200
    assert select.select(asked, [], [], 0.1)[0] == []
    server.goes.touch()
    assert statuses(asked) == ["HTTP/1.1 200 OK", "HTTP/1.1 302 Found"] * (READERS // 2)
    processes.until(lambda: stored() == READERS, "all are in the ledger", within_s=10)


def test_a_server_that_is_stopped_answers_what_it_holds(server: Server, asked: list[socket.socket]) -> None:
    assert select.select(asked, [], [], 0.5)[0] == []
    server.process.terminate()
    server.goes.touch()
    assert statuses(asked) == ["HTTP/1.1 200 OK", "HTTP/1.1 302 Found"] * (READERS // 2)
    assert server.process.wait(15) == 0
    drain.spools(server.goes.with_name("spool"), run=retrying, now=clock.now())  # as the next process does
    assert stored() == READERS
