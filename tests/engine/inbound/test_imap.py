"""A mailbox is read over a real connection, without changing it, and each message is recorded once."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import func, select

from engine.inbound import imap
from engine.inbound.incoming import Run
from errors import InvalidInput, Unavailable
from models import Event
from models.session import retrying, transaction
from tests.engine.inbound import arrivals, imap_server
from tests.engine.inbound.imap_server import PASSWORD, USER, ImapServer
from tests.mails import NOW, Mail, mail


def now() -> datetime:
    return NOW


@pytest.fixture
def server() -> Iterator[ImapServer]:
    """A running IMAP server."""
    with imap_server.running() as server:
        yield server


@pytest.fixture
def sent(ledger: str) -> Mail:
    """An e-mail, committed."""
    with transaction() as session:
        return mail(session)


def poll(server: ImapServer, state: Path, *, run: Run = retrying, password: str = PASSWORD) -> int:
    url = f"imap://{quote(USER)}:{quote(password, safe='')}@127.0.0.1:{server.port}/Respuestas?starttls=off"
    return imap.poll(imap.mailbox(url), state, limit_bytes=1_000, run=run, now=now)


def events() -> int:
    with transaction() as session:
        return session.scalar(select(func.count()).select_from(Event)) or 0


def test_new_messages_are_recorded_once_and_the_mailbox_stays_as_it_is(
    server: ImapServer, sent: Mail, tmp_path: Path
) -> None:
    server.messages = {3: arrivals.reply_to(sent, 1), 5: arrivals.reply_to(sent, 2) + b"x" * 5_000}
    state = tmp_path / "spool" / "position.json"
    assert [poll(server, state), poll(server, state), events()] == [2, 0, 2]
    server.messages[9] = arrivals.reply_to(sent, 3)
    assert [poll(server, state), events()] == [1, 3]
    assert any(command.startswith("EXAMINE") and "Respuestas" in command for command in server.commands)
    assert not any("STORE" in command or "BODY[" in command for command in server.commands)
    assert any("SINCE 31-Jan-2026" in command for command in server.commands)


def test_all_is_read_again_when_the_server_numbers_anew(server: ImapServer, sent: Mail, tmp_path: Path) -> None:
    server.messages = {5: arrivals.reply_to(sent)}
    state = tmp_path / "position.json"
    poll(server, state)
    server.validity, server.messages = 8, {1: arrivals.reply_to(sent), 2: arrivals.reply_to(sent, 2)}
    assert [poll(server, state), events()] == [2, 2]
    state.write_text("torn")
    assert [poll(server, state), events()] == [2, 2]


def test_nothing_is_passed_over_while_the_database_is_unavailable(
    server: ImapServer, sent: Mail, tmp_path: Path
) -> None:
    server.messages = {5: arrivals.reply_to(sent)}
    state = tmp_path / "position.json"
    with pytest.raises(Unavailable, match="database"):
        poll(server, state, run=arrivals.unavailable)
    assert [poll(server, state), events()] == [1, 1]


def test_a_message_that_cannot_be_recorded_stops_no_other(server: ImapServer, tmp_path: Path) -> None:
    server.messages = {5: b"Subject: x\r\n\r\n", 6: b"Subject: y\r\n\r\n"}
    assert poll(server, tmp_path / "position.json", run=arrivals.broken) == 2


def test_a_mailbox_that_cannot_be_read_is_unavailable_and_no_secret_is_repeated(
    server: ImapServer, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="refused user or password") as refused:
        poll(server, tmp_path / "position.json", password="wrong-secret")
    assert "wrong" not in str(refused.value) and "@" not in str(refused.value)
    server.close()
    with pytest.raises(Unavailable, match="imap: not available"):
        poll(server, tmp_path / "position.json")


@pytest.mark.parametrize("url", ["imaps://imap.example/INBOX", "imaps://user@imap.example", "imaps://:pw@imap.example"])
def test_a_url_without_user_or_password_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="IMAP_URL: write imaps://user:password@host/INBOX"):
        imap.mailbox(url)


def test_a_url_names_port_folder_and_encryption() -> None:
    box = imap.mailbox("imaps://a%40b.example:p%3Aw@imap.example/Respuestas%20ES")
    assert (box.host, box.port, box.user, box.password, box.folder) == (
        "imap.example", 993, "a@b.example", "p:w", "Respuestas ES",
    )  # fmt: skip
    plain = imap.mailbox("imap://a:b@imap.example")
    assert (plain.port, plain.folder, plain.starts_tls) == (143, "INBOX", True)
    assert box.state_name != plain.state_name
