"""The inbox over real SMTP and real HTTP."""

import smtplib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.mail.inbox import Inbox
from local.mail.mailstore import Mailstore
from local.mail.receiver import DEMO_RULES, Replies

ROOT = Path(__file__).parents[3]
SENDER = "hola@cadencia.example"
MESSAGE = b"Subject: Hola\r\nMessage-ID: <1@cadencia.example>\r\n\r\n.una l\xc3\xadnea\r\n..dos\r\n"


@pytest.fixture
def replies() -> list[bytes]:
    """The replies that were passed on."""
    return []


@pytest.fixture
def inbox(tmp_path: Path, replies: list[bytes]) -> Iterator[Inbox]:
    """A running inbox with the demo's refusals."""
    store = Mailstore(tmp_path / "inbox")

    def on_reply(raw: bytes) -> None:
        if b"fail" in raw:
            raise RuntimeError("no database")
        replies.append(raw)

    with Inbox(store, rules=DEMO_RULES, replies=Replies(["Hola@cadencia.example"], on_reply)) as inbox:
        yield inbox


@pytest.fixture
def client(inbox: Inbox) -> Iterator[smtplib.SMTP]:
    """A connected client."""
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=10) as client:
        yield client


def _kept(inbox: Inbox) -> list[tuple[str, ...]]:
    return [message.recipients for message in inbox.store.since(0)]


def test_a_message_is_stored_unchanged_when_accepted(inbox: Inbox, client: smtplib.SMTP) -> None:
    client.sendmail(SENDER, ["ana@example.com"], MESSAGE, ["BODY=8BITMIME"])
    [message] = inbox.store.since(0)
    assert (message.sender, message.recipients, message.raw) == (SENDER, ("ana@example.com",), MESSAGE)


def test_its_extensions_are_announced_when_greeted(client: smtplib.SMTP) -> None:
    client.ehlo()
    assert {"size", "8bitmime", "smtputf8", "pipelining"} <= set(client.esmtp_features)
    assert not {"starttls", "auth", "chunking"} & set(client.esmtp_features)


def test_a_non_ascii_address_is_accepted_with_smtputf8(inbox: Inbox, client: smtplib.SMTP) -> None:
    client.ehlo()
    client.command_encoding = "utf-8"
    client.sendmail(SENDER, ["íñigo@example.com"], MESSAGE, ["SMTPUTF8", "BODY=8BITMIME"])
    assert _kept(inbox) == [("íñigo@example.com",)]


def test_a_dead_mailbox_is_refused_when_the_rules_say_so(inbox: Inbox, client: smtplib.SMTP) -> None:
    for _ in range(3):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail(SENDER, ["Rebota.perez@example.com"], MESSAGE)
        assert refused.value.recipients == {"Rebota.perez@example.com": (550, b"5.1.1 No such mailbox here")}
    assert _kept(inbox) == []


def test_a_busy_mailbox_accepts_when_tried_a_third_time(inbox: Inbox, client: smtplib.SMTP) -> None:
    client.ehlo()
    codes = []
    for address in ("ocupado.1@example.com", "ocupado.2@example.com"):
        for _ in range(3):
            client.mail(SENDER)
            codes.append(client.rcpt(address)[0])
            client.rset()
    assert codes == [451, 451, 250] * 2


def test_nothing_is_refused_when_no_rules_are_given(tmp_path: Path) -> None:
    with Inbox(Mailstore(tmp_path)) as inbox, smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.sendmail(SENDER, ["rebota@example.com"], MESSAGE)
        assert _kept(inbox) == [("rebota@example.com",)]


@pytest.mark.parametrize("address", ["hola@cadencia.example", "HOLA+7f3a@Cadencia.example"])
def test_a_reply_is_passed_on_and_not_stored_when_sent_to_the_reply_address(
    inbox: Inbox, client: smtplib.SMTP, replies: list[bytes], address: str
) -> None:
    client.sendmail("", [address], MESSAGE)
    assert replies == [f"Delivered-To: {address}\r\n".encode() + MESSAGE]
    assert _kept(inbox) == []


def test_the_sender_is_asked_to_try_again_when_a_reply_fails(
    client: smtplib.SMTP, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("ana@example.com", ["hola@cadencia.example"], b"Subject: fail\r\n\r\n")
    assert refused.value.smtp_code == 451
    assert caplog.messages == ["message_not_stored error=RuntimeError"]
    client.sendmail("ana@example.com", ["blas@example.com"], MESSAGE)  # the connection goes on


def test_every_command_is_answered_in_order_when_pipelined(inbox: Inbox) -> None:
    body = b"Subject: x\r\n\r\nhola\r\n.\r\n"
    good, bad = (f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{to}@example.com>\r\n".encode() for to in ("ana", "rebota"))
    with socket.create_connection(("127.0.0.1", inbox.smtp_port), timeout=10) as wire:
        wire.sendall(
            b"EHLO here\r\n" + good + b"DATA\r\n" + body + bad + b"DATA\r\nRSET\r\n" + good + b"DATA\r\n" + body
        )
        wire.sendall(b"QUIT\r\n")
        answers = wire.makefile("rb").read().splitlines()
    codes = [line[:3] for line in answers if line[3:4] == b" "]
    first, refused, again = [b"250", b"250", b"354", b"250"], [b"250", b"550", b"503", b"250"], [b"250", b"250", b"354"]
    assert codes == [b"220", b"250", *first, *refused, *again, b"250", b"221"]
    assert len(_kept(inbox)) == 2


def test_every_message_is_stored_once_when_several_connections_send(inbox: Inbox) -> None:
    def send(start: int) -> None:
        with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
            for number in range(start, start + 25):
                client.sendmail(SENDER, [f"{number}@example.com"], MESSAGE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(0, 100, 25)))
    assert sorted(_kept(inbox)) == sorted((f"{number}@example.com",) for number in range(100))


def test_the_page_lists_the_message_when_it_came_by_smtp(inbox: Inbox, client: smtplib.SMTP) -> None:
    client.sendmail(SENDER, ["ana@example.com"], MESSAGE)
    with urllib.request.urlopen(f"http://127.0.0.1:{inbox.http_port}/", timeout=10) as page:
        assert "ana@example.com" in page.read().decode()


def test_the_command_serves_until_sigterm(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "local.mail.inbox",
        "--smtp-port",
        "0",
        "--http-port",
        "0",
        "--store",
        str(tmp_path),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        port = int(line.split()[1].rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.sendmail(SENDER, ["ana@example.com"], MESSAGE)
            process.terminate()
            assert process.wait(10) == 0
    assert len(list(tmp_path.glob("*.eml"))) == 1


def test_the_command_explains_itself_when_asked_or_misused() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local.mail.inbox", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    helped = run("--help")
    assert (helped.returncode, "examples:" in helped.stdout) == (0, True)
    assert "go together" in run("--reply-to", "hola@cadencia.example").stderr
