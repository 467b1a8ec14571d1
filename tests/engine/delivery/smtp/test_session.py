"""The outcome of messages for every way in which a server can answer or fail."""

import time
from collections import Counter
from collections.abc import Sequence

import pytest

from engine.delivery.outcomes import Deferred, InDoubt, Outcome, Phase, Rejected, Sent
from tests.engine.delivery.smtp.dialogue import LOCK_STEP, PIPELINING, Answer, Drop, Hang, Rule, Visit, fault
from tests.engine.delivery.smtp.senders_side import message_id, messages, send
from tests.engine.delivery.smtp.servers import Server

BOTH = pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])


@BOTH
def test_messages_arrive_whole_and_in_order_when_the_server_accepts_them(features: Sequence[str]) -> None:
    with Server(features=features).running() as server:
        outcomes, log = send(server.url, messages(5))
    assert [type(outcomes[slot]) for slot in range(5)] == [Sent] * 5
    assert [mail.data for mail in server.accepted] == [sent.data for sent in messages(5)]
    assert outcomes[2].response == "250 2.0.0 Ok: queued as 2"
    assert abs(outcomes[2].at_ms / 1000 - time.time()) < 60
    assert log.answers[2][:2] == (250, b"250 2.0.0 Ok: queued as 2")


def test_commands_of_the_next_message_are_pipelined_with_the_body() -> None:
    with Server().running() as server:
        outcomes, _ = send(server.url, messages(3))
    assert len(outcomes) == 3
    assert [command.split(":")[0] for command in server.commands] == [
        "EHLO",
        *["MAIL FROM", "RCPT TO", "DATA"] * 3,
        "QUIT",
    ]


@BOTH
@pytest.mark.parametrize("style", ["drip", "coalesce"])
def test_replies_are_understood_when_they_come_in_pieces_or_together(features: Sequence[str], style: str) -> None:
    with Server(features=features, drip=style == "drip", coalesce=style == "coalesce").running() as server:
        outcomes, _ = send(server.url, messages(4))
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    assert len(outcomes) == len(server.accepted) == 4


# One row for each place where a connection can break or a reply can refuse. The fault affects the second of
# three messages; the others must arrive. `outcome` is that of the second message, None if another connection sends it.
ROWS = [
    ("drop at MAIL", fault("MAIL", Drop(), message=2, connection=1), None),
    ("drop at RCPT", fault("RCPT", Drop(), message=2, connection=1), None),
    ("drop at DATA", fault("DATA", Drop(), message=2, connection=1), None),
    ("reset at DATA", fault("DATA", Drop(reset=True), message=2, connection=1), None),
    ("drop in mid-body", fault("BODY", Drop(), message=2, connection=1), InDoubt),  # the kernel had all of it
    ("drop after the dot", fault("DOT", Drop(), message=2, connection=1), InDoubt),
    ("reset after the dot", fault("DOT", Drop(reset=True), message=2, connection=1), InDoubt),
    ("half a reply at MAIL", fault("MAIL", Drop(b"25"), message=2, connection=1), None),
    ("half a reply at DATA", fault("DATA", Drop(b"354 go"), message=2, connection=1), None),
    ("half a reply after the dot", fault("DOT", Drop(b"250 2.0.0 Ok: qu"), message=2, connection=1), InDoubt),
    ("half of many lines after the dot", fault("DOT", Drop(b"250-2.0.0 Ok\r\n"), message=2, connection=1), InDoubt),
    ("hang at MAIL", fault("MAIL", Hang(), message=2, connection=1), None),
    ("hang at RCPT", fault("RCPT", Hang(), message=2, connection=1), None),
    ("hang at DATA", fault("DATA", Hang(), message=2, connection=1), None),
    ("hang after the dot", fault("DOT", Hang(), message=2, connection=1), InDoubt),
    ("421 at MAIL", fault("MAIL", Drop(b"421 4.3.2 closing\r\n"), message=2, connection=1), None),
    ("421 at RCPT", fault("RCPT", Drop(b"421 4.3.2 closing\r\n"), message=2), Deferred),
    ("421 at DATA", fault("DATA", Drop(b"421 4.3.2 closing\r\n"), message=2), Deferred),
    ("421 after the dot", fault("DOT", Drop(b"421 4.3.2 closing\r\n"), message=2), Deferred),
    ("451 at MAIL at the message limit", fault("MAIL", b"451 4.7.0 too many", message=2, connection=1), None),
    ("450 at RCPT", fault("RCPT", b"450 4.2.0 greylisted", message=2), Deferred),
    ("451 at DATA", fault("DATA", b"451 4.3.0 busy", message=2), Deferred),
    ("451 after the dot", fault("DOT", b"451 4.3.0 busy", message=2), Deferred),
    ("550 at MAIL", fault("MAIL", b"550 5.7.1 sender refused", message=2), Rejected),
    ("550 at RCPT", fault("RCPT", b"550 5.1.1 unknown user", message=2), Rejected),
    ("554 at DATA", fault("DATA", b"554 5.7.1 no", message=2), Rejected),
    ("554 after the dot", fault("DOT", b"554 5.7.1 spam", message=2), Rejected),
    ("550 in three lines", fault("RCPT", b"550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", message=2), Rejected),
    ("garbage at MAIL", fault("MAIL", b"\xff\xfe?", message=2, connection=1), None),
    ("garbage after the dot", fault("DOT", b"hello there", message=2, connection=1), InDoubt),
    ("354 after the dot", fault("DOT", b"354 what?", message=2, connection=1), InDoubt),
    ("250 at DATA", fault("DATA", b"250 what?", message=2, connection=1), None),
    ("530 at MAIL", fault("MAIL", b"530 5.7.0 authenticate", message=2, connection=1), None),
]


@BOTH
@pytest.mark.parametrize(("name", "rule", "outcome"), ROWS, ids=[row[0] for row in ROWS])
def test_message_has_the_outcome_of_the_table_when_the_server_fails(
    name: str, rule: Rule, outcome: type[Outcome] | None, features: Sequence[str]
) -> None:
    with Server(rule, features=features).running() as server:
        outcomes, log = send(server.url, messages(3))
    assert type(outcomes[0]) is Sent
    assert type(outcomes[2]) is Sent
    assert type(outcomes[1]) is (outcome or Sent)
    arrived = Counter(mail.message_id for mail in server.accepted)
    assert arrived == {message_id(slot): 1 for slot in range(3) if isinstance(outcomes[slot], Sent)}
    assert set(log.answers) == {slot for slot in range(3) if not isinstance(outcomes[slot], InDoubt)}


@BOTH
def test_phase_and_reply_are_recorded_when_a_recipient_is_refused(features: Sequence[str]) -> None:
    refusal = b"550-5.1.1 <ana0@example.com>: no\r\n550 5.1.1 such user ana0"
    with Server(fault("RCPT", refusal), features=features).running() as server:
        outcomes, log = send(server.url, messages(1))
    [outcome] = outcomes.values()
    assert outcome.at_ms > 0
    assert (outcome.phase, outcome.code, outcome.status) == (Phase.RCPT, 550, "5.1.1")
    assert outcome.response == "550 5.1.1 <[address]>: no such user [address]"
    assert outcome.dead_address
    assert log.answers[0] == (550, outcome.response.encode(), outcome.at_ms, 0x40 | Phase.RCPT)


@BOTH
def test_session_is_reset_when_a_message_was_refused_before_its_body(features: Sequence[str]) -> None:
    with Server(fault("RCPT", b"550 5.1.1 no", message=1), features=features).running() as server:
        outcomes, _ = send(server.url, messages(2))
    assert [type(outcomes[0]), type(outcomes[1])] == [Rejected, Sent]
    assert server.commands.count("RSET") == 1
    assert len(server.connected_at) == 1


def test_only_a_lone_dot_is_sent_when_data_is_accepted_after_the_recipient_was_refused() -> None:
    def rule(event: str, visit: Visit) -> Answer:
        if visit.message == 1:
            return {"RCPT": b"550 5.1.1 no", "DATA": b"354 go ahead", "DOT": b"554 no recipients"}.get(event)
        return None

    with Server(rule).running() as server:
        outcomes, log = send(server.url, messages(2))
    assert [type(outcomes[0]), type(outcomes[1])] == [Rejected, Sent]
    assert "EMPTY 0" in server.commands
    assert [mail.message_id for mail in server.accepted] == [message_id(1)]
    assert ("complete", 0) not in log.calls


def test_lmtp_is_used_when_the_url_says_so() -> None:
    with Server(fault("RCPT", b"550 5.1.1 no", message=2)).running() as server:
        outcomes, _ = send(server.url.replace("smtp://", "lmtp://"), messages(3))
    assert [type(outcomes[slot]) for slot in range(3)] == [Sent, Rejected, Sent]
    assert server.commands[0] == "LHLO"
