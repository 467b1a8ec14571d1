"""A relay that refuses us: few messages are tried, and none is charged. A refusal of one recipient does not count."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.delivery.outcomes import Deferred, Outcome, Rejected, Sent, Untried
from engine.delivery.smtp import Reason
from tests.engine.delivery.smtp.dialogue import LOCK_STEP, PIPELINING, Rule
from tests.engine.delivery.smtp.senders_side import FROM, QUICK, MemoryLog, message, messages, transport
from tests.engine.delivery.smtp.servers import Server

BOTH = pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
DENIED = b"550 relay not permitted, authenticate first"
LISTED = b"550 5.7.1 Client host [192.0.2.9] blocked using list.example"


def refusing(event: str, reply: bytes, *recipients: str) -> Rule:
    """Return a rule that answers an event with `reply`, for these recipients (at MAIL and by default: for all)."""
    return lambda current, visit: (
        reply if current == event and (not recipients or visit.recipient in recipients) else None
    )


def types(outcomes: dict[int, Outcome]) -> list[type]:
    return [type(outcome) for _, outcome in sorted(outcomes.items())]


REFUSALS = [
    ("RCPT", DENIED, Reason.REFUSED),
    ("RCPT", b"554 5.7.1 <x@y.example>: Relay access denied", Reason.REFUSED),
    ("RCPT", b"454 4.7.1 <x@y.example>: Relay access denied", Reason.BUSY),
    ("RCPT", LISTED, Reason.REFUSED),
    ("RCPT", b"530 5.7.1 Authentication required", Reason.REFUSED),
    ("MAIL", b"450 4.7.1 Error: too much mail from 192.0.2.9", Reason.BUSY),
    ("MAIL", b"550 5.7.1 we do not know you", Reason.REFUSED),
    ("DATA", b"554 5.7.1 Relaying denied", Reason.REFUSED),
]


@BOTH
@pytest.mark.parametrize(("event", "reply", "reason"), REFUSALS)
def test_a_relay_that_refuses_us_charges_no_message_and_gets_few(
    features: Sequence[str], event: str, reply: bytes, reason: Reason
) -> None:
    with Server(refusing(event, reply), features=features).running() as server:
        client, log = transport(server.url), MemoryLog()
        outcomes = client.send(messages(50), FROM, log)
        client.close()
    assert set(types(outcomes)) == {Untried}
    assert log.answers == {}
    assert client.failure is not None and client.failure.reason is reason
    assert reply[:3].decode() in str(client.failure) and "y.example" not in str(client.failure)
    assert sum(command.startswith("MAIL") for command in server.commands) <= 10
    assert server.accepted == []


@BOTH
@pytest.mark.parametrize(("reply", "expected"), [(DENIED, Deferred), (LISTED, Rejected)])
def test_a_recipient_for_whom_a_working_relay_refuses_us_is_charged(
    features: Sequence[str], reply: bytes, expected: type
) -> None:
    rule = refusing("RCPT", reply, "ana3@example.com", "ana4@example.com")
    with Server(rule, features=features).running() as server:
        client, log = transport(server.url), MemoryLog()
        outcomes = client.send(messages(10), FROM, log)
        client.close()
    assert types(outcomes) == [expected if slot in (3, 4) else Sent for slot in range(10)]
    assert set(log.answers) == set(range(10))
    assert client.failure is None


def test_many_recipients_of_a_working_relay_are_charged_when_none_leaves_three_in_a_row() -> None:
    refused = [f"ana{slot}@example.com" for slot in range(0, 30, 2)]
    with Server(refusing("RCPT", LISTED, *refused)).running() as server:
        client = transport(server.url)
        outcomes = client.send(messages(30), FROM, MemoryLog())
        client.close()
    assert types(outcomes) == [Rejected, Sent] * 15


def test_a_single_refusal_counts_against_the_recipient_once_the_relay_took_others_since() -> None:
    """The first time the relay is not blamed either, because it took a message a moment before."""
    with Server(refusing("RCPT", LISTED, "ana9@example.com")).running() as server:
        client = transport(server.url)

        def one(slot: int) -> Outcome:
            return client.send([message(0, f"ana{slot}@example.com")], FROM, MemoryLog())[0]

        results = [one(1), one(9), one(9), one(2), one(9)]
        client.close()
    assert [type(outcome) for outcome in results] == [Sent, Untried, Untried, Sent, Rejected]
    assert client.failure is None


def test_a_single_refusal_by_a_relay_that_took_nothing_yet_is_blamed_on_the_relay() -> None:
    with Server(refusing("RCPT", DENIED)).running() as server:
        client = transport(server.url)
        [outcome] = client.send(messages(1), FROM, MemoryLog()).values()
        client.close()
    assert outcome == Untried(DENIED.decode())
    assert client.failure is not None
    assert str(client.failure) == f"mail relay unavailable: it refuses our mail ({DENIED.decode()})"


def test_a_relay_that_begins_to_refuse_us_in_mid_group_charges_nothing() -> None:
    """Four connections are in mid-group when the relay begins to refuse; the bodies in flight prove nothing."""
    recipients = 0

    def rule(event: str, _visit: object) -> bytes | None:
        nonlocal recipients
        recipients += event == "RCPT"
        return LISTED if event == "RCPT" and recipients > 40 else None

    with Server(rule).running() as server:
        client, log = transport(server.url, replace(QUICK, connections=4)), MemoryLog()
        outcomes = client.send(messages(200), FROM, log)
        client.close()
    assert client.failure is not None and client.failure.reason is Reason.REFUSED
    assert types(outcomes).count(Sent) == len(server.accepted) == 40
    assert types(outcomes).count(Rejected) == 0
    assert recipients < 60
