"""Receiving mail by command: a pipe, a Maildir, a mailbox, and a server that stops on a signal."""

import os
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from cli import main
from local import ports
from models import Event
from models.session import transaction
from tests.cli.conftest import Run
from tests.conftest import environment
from tests.engine.inbound import arrivals, imap_server
from tests.mails import Mail, mail

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sent(ledger: str) -> Mail:
    """An e-mail, committed."""
    with transaction() as session:
        return mail(session)


def events() -> int:
    with transaction() as session:
        return session.scalar(select(func.count()).select_from(Event)) or 0


def pipe(raw: bytes, *words: str) -> int:
    return CliRunner().invoke(main.root, ["--quiet", "inbound", "pipe", *words], raw).exit_code


def test_a_piped_message_is_recorded(sent: Mail, run: Run, tmp_path: Path) -> None:
    assert (pipe(arrivals.reply_to(sent), "hola@cadencia.example"), events()) == (0, 1)
    assert list((tmp_path / "spool" / "mail").iterdir()) == []


def test_a_piped_message_waits_on_disk_while_the_database_is_unavailable(sent: Mail, run: Run, tmp_path: Path) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        assert pipe(arrivals.reply_to(sent)) == 0
    listed = run("inbound", "spool").stdout
    assert (listed, events()) == ("1 recorded\n", 1)


@pytest.mark.parametrize(
    ("settings", "status"),
    [({"INBOUND_LIMIT_BYTES": "10000"}, os.EX_DATAERR), ({"SPOOL_DIR": "/proc/no"}, os.EX_TEMPFAIL),
     ({"DATABASE_URL": "mysql://x"}, os.EX_TEMPFAIL), ({"LOG_FILE": "/proc/no/log"}, os.EX_TEMPFAIL)],
)  # fmt: skip
def test_a_status_of_the_pipe_says_if_trying_again_can_help(
    run: Run, settings: dict[str, str], status: int, tmp_path: Path
) -> None:
    with environment(**settings):
        assert pipe(b"x" * 50_000) == status
    assert list((tmp_path / "spool").glob("*/*")) == []


def test_a_maildir_is_read_once(sent: Mail, run: Run, tmp_path: Path) -> None:
    for name in ("new", "cur"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    (tmp_path / "Maildir" / "new" / "1").write_bytes(arrivals.reply_to(sent))
    assert run("inbound", "maildir", str(tmp_path / "Maildir"), "--once").stdout == "1 messages read\n"
    assert events() == 1
    assert "no folders `new` and `cur`" in run("inbound", "maildir", str(tmp_path), "--once", status=1).stderr


def test_a_mailbox_is_read_once(sent: Mail, run: Run) -> None:
    assert "IMAP_URL is not set" in run("inbound", "imap", "--once", status=2).stderr
    with imap_server.running() as server:
        server.messages = {1: arrivals.reply_to(sent)}
        url = f"imap://buzon%40cadencia.example:p%40ss%20w%2Frd@127.0.0.1:{server.port}?starttls=off"
        with environment(IMAP_URL=url):
            assert run("inbound", "imap", "--once").stdout == "1 messages read\n"
    assert events() == 1


def _until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_server_records_what_it_receives_and_stops_on_a_signal(sent: Mail, run: Run) -> None:
    port = ports.free()

    def send() -> None:
        try:
            _until(lambda: _is_sent(port, arrivals.reply_to(sent)))
            _until(lambda: events() == 1)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send).start()
    result = run("inbound", "receive", "--listen", f"127.0.0.1:{port}")
    assert events() == 1
    assert f"smtp://127.0.0.1:{port} accepts mail to hola@cadencia.example" in result.stderr


def _is_sent(port: int, raw: bytes) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.sendmail("ana@empresa.example", ["hola@cadencia.example"], raw)
    except ConnectionRefusedError:
        return False
    return True


def test_a_message_accepted_by_a_killed_server_without_a_database_is_recorded_later(sent: Mail, run: Run) -> None:
    port = ports.free()
    gone = {"DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/gone"}
    command = [sys.executable, "-m", "cli", "inbound", "receive", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | gone)
    try:
        _until(lambda: _is_sent(port, arrivals.reply_to(sent, 0)))
        accepted = 1 + sum(_is_sent(port, arrivals.reply_to(sent, number)) for number in range(1, 20))
    finally:
        server.kill()
        server.wait()
    assert events() == 0
    assert run("inbound", "spool").stdout == f"{accepted} recorded\n"
    assert events() == accepted == 20


@pytest.mark.parametrize("listen", ["2424", "localhost:", ":25", "127.0.0.1:70000"])
def test_an_invalid_address_to_listen_on_is_refused(run: Run, listen: str) -> None:
    assert f"{listen!r} is not HOST:PORT" in run("inbound", "receive", "--listen", listen, status=2).stderr


def test_an_occupied_port_is_named(run: Run) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = run("inbound", "receive", "--listen", listen, status=1).stderr
    assert f"{listen}: cannot be used (Address already in use); choose another with --listen" in refused
