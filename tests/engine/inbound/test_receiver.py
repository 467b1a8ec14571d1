"""The mail server for replies and bounces: real connections, and messages that are on disk when they are accepted."""

import os
import resource
import smtplib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.inbound.receiver import Limits, Receiver

OURS = ("hola@cadencia.example", "bounces@cadencia.example")
LIMITS = Limits(message_bytes=1_000_000, spool_bytes=5_000_000, connections=3)
MESSAGE = b"Subject: Re: ROI\r\n\r\n.punto\r\n..dos\r\n" + b"x" * 200_000 + b"\r\nfin\r\n"


class Server:
    """A running receiver, with the folder and the number of its messages."""

    def __init__(self, folder: Path, *, limits: Limits = LIMITS, is_lmtp: bool = False) -> None:
        self.folder = folder
        self.stored = threading.Semaphore(0)
        self.receiver = Receiver(folder, OURS, limits, self.stored.release, is_lmtp=is_lmtp)
        self.port = self.receiver.start("127.0.0.1", 0)

    def messages(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.glob("*.mail"))]

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running SMTP server."""
    running = Server(tmp_path / "mail")
    yield running
    running.receiver.stop()


@pytest.fixture
def client(server: Server) -> Iterator[smtplib.SMTP]:
    """A connected client."""
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        yield client


def test_a_message_is_on_disk_unchanged_when_accepted(server: Server, client: smtplib.SMTP) -> None:
    client.sendmail("", [OURS[0], "Bounces+0a1b@cadencia.example"], MESSAGE)
    trace = b"Return-Path: <>\r\nDelivered-To: hola@cadencia.example\r\nDelivered-To: Bounces+0a1b@cadencia.example\r\n"
    assert server.messages() == [trace + MESSAGE]
    [path] = server.folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600 and server.folder.stat().st_mode & 0o777 == 0o700
    assert server.stored.acquire(timeout=5)


def test_mail_to_others_is_refused(server: Server, client: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail("", ["ana@empresa.example"], MESSAGE)
    assert refused.value.recipients["ana@empresa.example"][0] == 550
    assert server.messages() == []


def test_a_large_message_is_refused_when_announced_and_when_not(server: Server, client: smtplib.SMTP) -> None:
    client.ehlo()
    assert client.mail("a@b.example", [f"SIZE={50_000_000}"])[0] == 552
    client.rset()
    with pytest.raises(smtplib.SMTPDataError) as refused:
        client.ehlo_or_helo_if_needed()
        client.mail("a@b.example")
        client.rcpt(OURS[0])
        code, text = client.data(b"x" * 1_000 + b"\r\n" + b"y" * 1_500_000)
        raise smtplib.SMTPDataError(code, text)
    assert refused.value.smtp_code == 552
    client.sendmail("", [OURS[0]], MESSAGE)
    assert len(server.messages()) == 1 and len(list(server.folder.iterdir())) == 1


@pytest.mark.parametrize("piece", [b"x" * 65_536, (b"x" * 2_046 + b"\r\n") * 32], ids=["one line", "lines"])
def test_the_memory_does_not_grow_with_a_message(server: Server, client: smtplib.SMTP, piece: bytes) -> None:
    client.ehlo()
    client.mail("a@b.example")
    client.rcpt(OURS[0])
    client.docmd("DATA")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(800):  # 52 MB
        client.sock.sendall(piece)
    client.sock.sendall(b"\r\n.\r\n")
    assert client.getreply()[0] == 552
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000  # KB


def test_a_message_that_the_disk_refuses_is_not_accepted(server: Server, client: smtplib.SMTP) -> None:
    server.folder.write_text("no folder")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("", [OURS[0]], MESSAGE)
    assert refused.value.smtp_code == 452
    server.folder.unlink()
    client.sendmail("", [OURS[0]], MESSAGE)
    assert len(server.messages()) == 1


def test_the_waiting_messages_are_bounded(server: Server, client: smtplib.SMTP) -> None:
    server.folder.mkdir()
    os.truncate(os.open(server.folder / "old.mail", os.O_CREAT | os.O_WRONLY), LIMITS.spool_bytes)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("", [OURS[0]], MESSAGE)
    assert refused.value.smtp_code == 452


def test_a_broken_connection_leaves_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server.connection() as opened, opened.makefile("rwb") as file:
        file.write(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<hola@cadencia.example>\r\nDATA\r\nSubject: cut\r\n")
        file.flush()
        while not file.readline().startswith(b"354"):
            pass
    server.receiver.stop()
    assert list(server.folder.iterdir()) == []


def test_connections_are_bounded(server: Server) -> None:
    opened = [server.connection() for _ in range(LIMITS.connections)]
    assert [one.recv(3) for one in opened] == [b"220"] * LIMITS.connections
    with server.connection() as another:
        assert another.recv(100).startswith(b"421 ")
    for one in opened:
        one.close()


def test_a_silent_connection_is_closed(tmp_path: Path) -> None:
    running = Server(tmp_path, limits=Limits(1_000, 1_000, command_s=0.2))
    with running.connection() as opened:
        assert opened.recv(3) == b"220"
        while opened.recv(1_000):
            pass
    running.receiver.stop()


def test_lmtp_takes_one_recipient_at_a_time(tmp_path: Path) -> None:
    running = Server(tmp_path, is_lmtp=True)
    with smtplib.LMTP("127.0.0.1", running.port, timeout=20) as client:
        client.sendmail("ana@empresa.example", [OURS[0]], MESSAGE)
        client.mail("ana@empresa.example")
        assert [client.rcpt(address)[0] for address in OURS] == [250, 452]
    assert len(running.messages()) == 1
    running.receiver.stop()


@pytest.mark.parametrize("text", [b".\r\n", b"\r\n.\r\n", b"..\r\n.\r\n", b"a\n.\n\r\n.\r\n"])
def test_the_end_of_a_message_is_a_dot_between_two_crlf(server: Server, text: bytes) -> None:
    with server.connection() as opened:
        opened.sendall(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<hola@cadencia.example>\r\nDATA\r\n" + text + b"QUIT\r\n")
        replies = b"".join(iter(lambda: opened.recv(1_000), b""))
    assert [line[:3] for line in replies.splitlines()] == [b"220", *[b"250"] * 3, b"354", b"250", b"221"]
    [stored] = server.messages()
    expected = {b".\r\n": b"", b"\r\n.\r\n": b"\r\n", b"..\r\n.\r\n": b".\r\n", b"a\n.\n\r\n.\r\n": b"a\n.\n\r\n"}
    assert stored.partition(b"Delivered-To: hola@cadencia.example\r\n")[2] == expected[text]
