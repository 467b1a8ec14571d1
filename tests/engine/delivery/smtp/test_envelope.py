"""Commands and body of a message: parameters, addresses, line ends and dots."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.delivery import smtp
from engine.delivery.outcomes import Rejected, Sent, Untried
from engine.delivery.smtp.envelope import Envelope, dot_stuffed
from engine.delivery.smtp.reply_parser import Features
from tests.engine.delivery.smtp.dialogue import LOCK_STEP, PIPELINING
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, message, messages, send, transport
from tests.engine.delivery.smtp.servers import Server

BOTH = pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])

PIECES = st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", "ñ".encode(), b"\r\n.\r\n", b"\x85", b"\x0b\x0c\x1c"])
BODIES = st.lists(PIECES, max_size=12).map(b"".join)
FEATURES = Features(eight_bit=True, has_size=True)


def prepared(envelope: Envelope, body: bytes) -> bytes:
    """Return the body with its line ends corrected."""
    message, commands = envelope.prepare(smtp.OutgoingMessage(0, "ana@example.com", body), FEATURES)
    needs = "" if body.isascii() else " BODY=8BITMIME"
    assert commands == f"MAIL FROM:<> SIZE={len(message.data)}{needs}\r\nRCPT TO:<ana@example.com>\r\nDATA\r\n"
    return message.data


@given(st.lists(BODIES, min_size=1, max_size=4))
def test_prepare_keeps_crlf_and_corrects_other_line_ends(bodies: list[bytes]) -> None:
    envelope = Envelope("")
    for body in bodies:
        assert prepared(envelope, body) == body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


@given(BODIES)
def test_body_is_unchanged_after_a_server_removes_the_dots(body: bytes) -> None:
    data = prepared(Envelope(""), body)
    sent = dot_stuffed(data, b"MAIL FROM:<>\r\n")
    assert sent.endswith(b"\r\n.\r\nMAIL FROM:<>\r\n") or sent == b"\r\n.\r\nMAIL FROM:<>\r\n"
    lines = sent.removesuffix(b".\r\nMAIL FROM:<>\r\n").split(b"\r\n")[:-1]
    assert b"." not in lines
    whole = data if data.endswith(b"\r\n") else data + b"\r\n"
    assert b"".join(line.removeprefix(b".") + b"\r\n" for line in lines) == whole


def test_dots_are_doubled_and_a_missing_line_end_is_added_when_the_body_needs_it() -> None:
    odd = [
        smtp.OutgoingMessage(0, "a@example.com", b".\r\n.\r\n..x\r\nend"),
        smtp.OutgoingMessage(1, "a@example.com", b""),
    ]
    with Server().running() as server:
        outcomes, _ = send(server.url, odd)
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    assert [mail.data for mail in server.accepted] == [b".\r\n.\r\n..x\r\nend\r\n", b"\r\n"]


@BOTH
@pytest.mark.parametrize(
    "smuggled", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n", b"\r\r\n.\r\r\n"]
)
def test_nothing_can_be_smuggled_when_a_body_holds_bare_line_ends(smuggled: bytes, features: Sequence[str]) -> None:
    body = b"before" + smuggled + b"MAIL FROM:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\nafter\r"
    with Server(features=features).running() as server:
        outcomes, _ = send(server.url, [message(0, body=body), message(1)])
    assert Counter(map(type, outcomes.values())) == {Sent: 2}
    assert [mail.recipient for mail in server.accepted] == ["ana0@example.com", "ana1@example.com"]
    arrived = server.accepted[0].data
    assert arrived.replace(b"\r\n", b"").count(b"\r") == arrived.replace(b"\r\n", b"").count(b"\n") == 0
    assert b"\r\n".join(arrived.splitlines()) + b"\r\n" == arrived
    assert arrived.splitlines() == message(0, body=body).data.splitlines()


@pytest.mark.parametrize(
    "recipient",
    ["a@b.example>\r\nRCPT TO:<c@d.example", "a\n@b.example", "a\x00@b.example", "a b@c.example", "a@b@c", "@", ""],
)
def test_message_is_rejected_locally_when_its_address_could_break_the_command(recipient: str) -> None:
    with Server().running() as server:
        outcomes, log = send(server.url, [smtp.OutgoingMessage(0, recipient, b"x\r\n"), message(1)])
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].at_ms == 0
    assert len(recipient) < 2 or recipient not in outcomes[0].response
    assert isinstance(outcomes[1], Sent)
    assert len(server.accepted) == 1
    assert 0 not in log.answers


def test_sender_is_refused_when_it_could_break_the_command() -> None:
    with Server().running() as server, pytest.raises(ValueError, match="address"):
        transport(server.url).send(messages(1), "a@b.example> SIZE=1\r\nRCPT TO:<x@y", MemoryLog())


def test_parameters_of_mail_match_the_message() -> None:
    batch = [
        message(0),
        message(1, body="¿Hablamos?\r\n".encode()),
        message(2, "ana@peña.example"),
        message(3, "begoña@example.com"),
    ]
    with Server().running() as server:
        outcomes, _ = send(server.url, batch)
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    mails = [command for command in server.commands if command.startswith("MAIL")]
    assert [mail.split(" ", 2)[2:] for mail in mails] == [
        [f"SIZE={len(sent.data)}" + extra]
        for sent, extra in zip(batch, ["", " BODY=8BITMIME", "", " SMTPUTF8"], strict=True)
    ]
    assert "RCPT TO:<ana@xn--pea-8ma.example>" in server.commands


def test_message_is_not_sent_when_the_server_cannot_accept_it() -> None:
    batch = [
        message(0, body=b"x" * 500 + b"\r\n"),
        message(1, body="¿Hablamos?\r\n".encode()),
        message(2, "begoña@example.com"),
    ]
    with Server(features=("PIPELINING", "SIZE 400")).running() as server:
        client = transport(server.url)
        client.open()
        assert not client.eight_bit
        assert not client.smtputf8
        outcomes = client.send(batch, FROM, MemoryLog())
        client.close()
    assert [type(outcomes[slot]) for slot in range(3)] == [Rejected, Untried, Rejected]
    assert outcomes[0].status == "5.3.4"
    assert not outcomes[2].dead_address
