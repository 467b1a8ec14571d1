"""What becomes of messages, against servers that do everything a server can do."""

import gc
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import Deferred, InDoubt, Phase, Rejected, Sent, Untried
from tests.engine.delivery.smtp.senders_side import FROM, QUICK, Marks, message, message_id, messages, send, transport
from tests.engine.delivery.smtp.servers import LOCK_STEP, PIPELINING, Drop, Hang, Server, Visit

FOUR = smtp.Limits(connections=4, connect_timeout_s=2.0, command_timeout_s=2.0, dot_timeout_s=2.0)
BOTH = pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])


def at(event, answer, *, message=None, connection=None):
    """A rule with one fault: at this event, of this message, on this connection."""

    def rule(seen, visit: Visit):
        matches = seen == event and message in (None, visit.message) and connection in (None, visit.connection)
        return answer if matches else None

    return rule


@BOTH
def test_messages_arrive_whole_and_in_order_when_the_server_takes_them(features):
    with Server(features=features).running() as server:
        outcomes, marks = send(server.url, messages(5))
    assert [type(outcomes[slot]) for slot in range(5)] == [Sent] * 5
    assert [mail.data for mail in server.accepted] == [sent.data for sent in messages(5)]
    assert outcomes[2].response == "250 2.0.0 Ok: queued as 2"
    assert abs(outcomes[2].at_ms / 1000 - time.time()) < 60
    assert marks.answers[2][:2] == (250, b"250 2.0.0 Ok: queued as 2")


def test_envelope_of_the_next_message_leaves_with_the_body_when_pipelining_is_announced():
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
def test_replies_are_understood_when_they_come_in_pieces_or_together(features, style):
    with Server(features=features, **{style: True}).running() as server:
        outcomes, _ = send(server.url, messages(4))
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    assert len(outcomes) == len(server.accepted) == 4


def test_two_thousand_messages_are_all_accounted_for_when_sent_over_four_connections():
    with Server().running() as server:
        outcomes, marks = send(server.url, messages(2_000), FOUR)
    assert Counter(map(type, outcomes.values())) == {Sent: 2_000}
    assert Counter(mail.message_id for mail in server.accepted) == {message_id(slot): 1 for slot in range(2_000)}
    assert len(server.connected_at) == 4
    assert len(marks.told) == 4_000


def test_five_megabytes_arrive_unchanged_when_the_server_reads_slowly_and_answers_meanwhile():
    body = b".a line that starts with a dot\r\n..and one with two\r\n" * 100_000
    big = [message(0, body=body), message(1), message(2, body=body)]
    with Server().running() as server:
        outcomes, marks = send(server.url, big, FOUR)
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    assert {mail.message_id: mail.data for mail in server.accepted} == {
        message_id(sent.slot): sent.data for sent in big
    }
    assert len(marks.told) == 6


def test_dots_are_doubled_and_a_missing_line_end_is_added_when_the_body_needs_it():
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
def test_nothing_can_be_smuggled_when_a_body_holds_bare_line_ends(smuggled, features):
    body = b"before" + smuggled + b"MAIL FROM:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\nafter\r"
    with Server(features=features).running() as server:
        outcomes, _ = send(server.url, [message(0, body=body), message(1)])
    assert Counter(map(type, outcomes.values())) == {Sent: 2}
    assert [mail.recipient for mail in server.accepted] == ["ana0@example.com", "ana1@example.com"]
    arrived = server.accepted[0].data
    assert arrived.replace(b"\r\n", b"").count(b"\r") == arrived.replace(b"\r\n", b"").count(b"\n") == 0
    assert b"\r\n".join(arrived.splitlines()) + b"\r\n" == arrived
    assert arrived.splitlines() == message(0, body=body).data.splitlines()


# F6: one row per place where a connection can break or a reply can refuse. The second of three messages meets
# the fault; the others must arrive. `outcome` is what the second message comes back as; None: it is sent after
# all, over another connection. `taken` says whether the server had accepted it when the fault came.
ROWS = [
    ("drop at MAIL", at("MAIL", Drop(), message=2, connection=1), None),
    ("drop at RCPT", at("RCPT", Drop(), message=2, connection=1), None),
    ("drop at DATA", at("DATA", Drop(), message=2, connection=1), None),
    ("reset at DATA", at("DATA", Drop(reset=True), message=2, connection=1), None),
    ("drop in mid-body", at("BODY", Drop(), message=2, connection=1), InDoubt),  # it was in the kernel whole
    ("drop after the dot", at("DOT", Drop(), message=2, connection=1), InDoubt),
    ("reset after the dot", at("DOT", Drop(reset=True), message=2, connection=1), InDoubt),
    ("half a reply at MAIL", at("MAIL", Drop(b"25"), message=2, connection=1), None),
    ("half a reply at DATA", at("DATA", Drop(b"354 go"), message=2, connection=1), None),
    ("half a reply after the dot", at("DOT", Drop(b"250 2.0.0 Ok: qu"), message=2, connection=1), InDoubt),
    ("half of many lines after the dot", at("DOT", Drop(b"250-2.0.0 Ok\r\n"), message=2, connection=1), InDoubt),
    ("hang at MAIL", at("MAIL", Hang(), message=2, connection=1), None),
    ("hang at RCPT", at("RCPT", Hang(), message=2, connection=1), None),
    ("hang at DATA", at("DATA", Hang(), message=2, connection=1), None),
    ("hang after the dot", at("DOT", Hang(), message=2, connection=1), InDoubt),
    ("421 at MAIL", at("MAIL", Drop(b"421 4.3.2 closing\r\n"), message=2, connection=1), None),
    ("421 at RCPT", at("RCPT", Drop(b"421 4.3.2 closing\r\n"), message=2), Deferred),
    ("421 at DATA", at("DATA", Drop(b"421 4.3.2 closing\r\n"), message=2), Deferred),
    ("421 after the dot", at("DOT", Drop(b"421 4.3.2 closing\r\n"), message=2), Deferred),
    ("451 at MAIL when used up", at("MAIL", b"451 4.7.0 too many", message=2, connection=1), None),
    ("450 at RCPT", at("RCPT", b"450 4.2.0 greylisted", message=2), Deferred),
    ("451 at DATA", at("DATA", b"451 4.3.0 busy", message=2), Deferred),
    ("451 after the dot", at("DOT", b"451 4.3.0 busy", message=2), Deferred),
    ("550 at MAIL", at("MAIL", b"550 5.7.1 sender refused", message=2), Rejected),
    ("550 at RCPT", at("RCPT", b"550 5.1.1 unknown user", message=2), Rejected),
    ("554 at DATA", at("DATA", b"554 5.7.1 no", message=2), Rejected),
    ("554 after the dot", at("DOT", b"554 5.7.1 spam", message=2), Rejected),
    ("550 in three lines", at("RCPT", b"550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", message=2), Rejected),
    ("garbage at MAIL", at("MAIL", b"\xff\xfe?", message=2, connection=1), None),
    ("garbage after the dot", at("DOT", b"hello there", message=2, connection=1), InDoubt),
    ("354 after the dot", at("DOT", b"354 what?", message=2, connection=1), InDoubt),
    ("250 at DATA", at("DATA", b"250 what?", message=2, connection=1), None),
    ("530 at MAIL", at("MAIL", b"530 5.7.0 authenticate", message=2, connection=1), None),
]


@BOTH
@pytest.mark.parametrize(("name", "rule", "outcome"), ROWS, ids=[row[0] for row in ROWS])
def test_message_comes_back_as_the_state_table_says_when_the_server_fails_it(name, rule, outcome, features):
    with Server(rule, features=features).running() as server:
        outcomes, marks = send(server.url, messages(3))
    assert type(outcomes[0]) is Sent
    assert type(outcomes[2]) is Sent
    assert type(outcomes[1]) is (outcome or Sent)
    arrived = Counter(mail.message_id for mail in server.accepted)
    assert arrived == {message_id(slot): 1 for slot in range(3) if isinstance(outcomes[slot], Sent)}
    assert set(marks.answers) == {slot for slot in range(3) if not isinstance(outcomes[slot], InDoubt)}


@BOTH
def test_phase_and_words_are_kept_and_logged_when_a_recipient_is_refused(features):
    refusal = b"550-5.1.1 <ana0@example.com>: no\r\n550 5.1.1 such user ana0"
    with Server(at("RCPT", refusal), features=features).running() as server:
        outcomes, marks = send(server.url, messages(1))
    [outcome] = outcomes.values()
    assert outcome.at_ms > 0
    assert (outcome.phase, outcome.code, outcome.status) == (Phase.RCPT, 550, "5.1.1")
    assert outcome.response == "550 5.1.1 <[address]>: no such user [address]"
    assert outcome.dead_address
    assert marks.answers[0] == (550, outcome.response.encode(), outcome.at_ms, Phase.RCPT)


@BOTH
def test_session_is_reset_when_a_message_was_refused_before_its_body(features):
    with Server(at("RCPT", b"550 5.1.1 no", message=1), features=features).running() as server:
        outcomes, _ = send(server.url, messages(2))
    assert [type(outcomes[0]), type(outcomes[1])] == [Rejected, Sent]
    assert server.commands.count("RSET") == 1
    assert len(server.connected_at) == 1


def test_only_a_lone_dot_is_sent_when_data_is_granted_after_the_recipient_was_refused():
    def rule(event, visit):
        if visit.message == 1:
            return {"RCPT": b"550 5.1.1 no", "DATA": b"354 go ahead", "DOT": b"554 no recipients"}.get(event)
        return None

    with Server(rule).running() as server:
        outcomes, marks = send(server.url, messages(2))
    assert [type(outcomes[0]), type(outcomes[1])] == [Rejected, Sent]
    assert "EMPTY 0" in server.commands
    assert [mail.message_id for mail in server.accepted] == [message_id(1)]
    assert ("complete", 0) not in marks.told


def test_rejection_counts_when_it_comes_in_the_middle_of_a_long_body():
    def rule(event, visit):
        early = Drop(b"552 5.3.4 message too big\r\n")
        return early if event == "BODY" and visit.connection == 1 else None

    batch = [message(0, body=b"x" * 70 + b"\r\n" * 2_000_000), message(1)]
    with Server(rule).running() as server:
        outcomes, _ = send(server.url, batch)
    # The words can be lost with the connection (a reset overtakes them); the message then was not complete, and
    # a second connection takes it.
    assert isinstance(outcomes[0], Rejected | Sent)
    assert isinstance(outcomes[1], Sent)


def test_message_is_not_in_doubt_when_the_connection_breaks_before_its_dot_has_left():
    with Server(at("BODY", Drop(reset=True))).running() as server:
        outcomes, marks = send(server.url, [message(0, body=b"x" * 78 + b"\r\n" * 4_000_000)])
    assert isinstance(outcomes[0], Untried)
    assert marks.told == []
    assert len(server.connected_at) == 3


def test_mark_is_made_before_the_write_that_carries_the_dot():
    seen = []

    class Watching(Marks):
        def complete(self, slot):
            super().complete(slot)
            time.sleep(0.05)
            seen.append(len(server.accepted))

    with Server().running() as server:
        carrier = transport(server.url)
        carrier.send(messages(3), FROM, Watching())
        carrier.close()
    assert seen == [0, 1, 2]


def test_kept_connection_is_used_again_when_the_next_batch_comes():
    with Server().running() as server:
        carrier = transport(server.url)
        for _ in range(3):
            assert isinstance(carrier.send(messages(1), FROM, Marks())[0], Sent)
        assert carrier.is_open
        carrier.close()
        assert not carrier.is_open
    assert len(server.connected_at) == 1
    assert server.commands[-1] == "QUIT"


def test_connection_is_replaced_unnoticed_when_the_server_closed_it_while_idle():
    with Server().running() as server:
        carrier = transport(server.url)
        carrier.send(messages(1), FROM, Marks())
        server.hang_up()
        time.sleep(0.05)
        started = time.monotonic()
        outcomes = carrier.send(messages(1), FROM, Marks())
        carrier.close()
    assert isinstance(outcomes[0], Sent)
    assert time.monotonic() - started < 0.5
    assert len(server.connected_at) == 2


def test_idle_connection_is_closed_when_its_time_is_over():
    with Server().running() as server:
        carrier = transport(server.url, smtp.Limits(idle_s=0.05))
        carrier.send(messages(1), FROM, Marks())
        carrier.close_if_idle()
        assert carrier.is_open
        time.sleep(0.06)
        carrier.close_if_idle()
        assert not carrier.is_open
    assert server.commands[-1] == "QUIT"


def test_connection_is_renewed_when_its_message_limit_is_reached():
    with Server().running() as server:
        outcomes, _ = send(server.url, messages(7), smtp.Limits(connections=1, messages_per_connection=3))
    assert Counter(map(type, outcomes.values())) == {Sent: 7}
    assert [sum(c.startswith("MAIL") for c in visit.commands) for visit in server.visits] == [3, 3, 1]
    assert [visit.commands[-1] for visit in server.visits] == ["QUIT"] * 3


@pytest.fixture
def uncollected() -> Iterator[None]:
    """What refers to itself stays: the collector is off."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_nothing_of_a_batch_is_kept_by_connections_that_ended_or_wait_for_the_next():
    limits = smtp.Limits(connections=2, messages_per_connection=3)
    with Server().running() as server:
        carrier = transport(server.url, limits)
        batch = (each for each in messages(7))
        kept = weakref.ref(batch)
        outcomes = carrier.send(batch, FROM, Marks(), tick=lambda batch=batch: batch)
        del batch
        assert len(outcomes) == 7
        assert kept() is None
        carrier.close()


def test_other_connections_do_the_work_when_the_server_takes_only_two():
    def rule(event, visit):
        return Drop(b"421 4.7.0 too many connections\r\n") if event == "BANNER" and visit.connection > 2 else None

    with Server(rule).running() as server:
        outcomes, _ = send(server.url, messages(300), FOUR)
    assert Counter(map(type, outcomes.values())) == {Sent: 300}
    assert len(server.connected_at) <= 4


def test_connects_are_few_when_the_server_answers_everything_with_421():
    with Server(at("MAIL", Drop(b"421 4.7.0 go away\r\n"))).running() as server:
        outcomes, marks = send(server.url, messages(50), smtp.Limits(connections=1, pause_s=0.3))
        gaps = [after - before for before, after in pairwise(server.connected_at)]
    assert Counter(map(type, outcomes.values())) == {Untried: 50}
    assert marks.told == []
    assert [gap > pause for gap, pause in zip(gaps, (0.29, 0.59), strict=True)] == [True, True]


def test_messages_on_no_connection_come_back_untried_when_the_relay_is_gone():
    with Server(at("DOT", Drop(), message=2)).running() as server:

        def vanishing():
            yield from messages(2)
            server.close_listener()
            yield from messages(6)[2:]

        outcomes, _ = send(server.url, vanishing())
    assert [type(outcomes[slot]) for slot in range(6)] == [Sent, InDoubt, Untried, Untried, Untried, Untried]
    assert outcomes[5].response == ""


def test_messages_in_flight_are_finished_when_composing_the_next_fails():
    def failing():
        yield from messages(3)
        raise ZeroDivisionError("composing")

    with Server().running() as server:
        carrier = transport(server.url)
        with pytest.raises(smtp.Interrupted) as stopped:
            carrier.send(failing(), FROM, Marks())
        carrier.close()
    assert isinstance(stopped.value.__cause__, ZeroDivisionError)
    outcomes = stopped.value.outcomes
    assert set(outcomes) == {0, 1, 2}
    sent = {message_id(slot) for slot, outcome in outcomes.items() if isinstance(outcome, Sent)}
    assert {mail.message_id for mail in server.accepted} == sent
    assert len(sent) >= 2


def test_nothing_more_is_sent_when_the_log_raises():
    class Fenced(Exception):
        pass

    class Refusing(Marks):
        def complete(self, slot):
            if slot == 1:
                raise Fenced
            super().complete(slot)

    with Server().running() as server:
        carrier = transport(server.url)
        with pytest.raises(Fenced):
            carrier.send(messages(3), FROM, Refusing())
        assert not carrier.is_open
        time.sleep(0.05)
        assert [mail.message_id for mail in server.accepted] == [message_id(0)]


def test_tick_is_called_each_second_when_the_server_is_silent():
    ticks = []
    with Server(at("DOT", Hang())).running() as server:
        carrier = transport(server.url, smtp.Limits(connections=1, dot_timeout_s=2.2))
        outcomes = carrier.send(messages(1), FROM, Marks(), tick=lambda: ticks.append(time.monotonic()))
        carrier.close()
    assert isinstance(outcomes[0], InDoubt)
    assert len(ticks) >= 3
    assert max(after - before for before, after in pairwise(ticks)) < 1.0


def test_unanswered_message_is_in_doubt_and_the_rest_untried_when_the_tick_says_stop():
    def stop():
        raise smtp.StopSending

    with Server(at("DOT", Hang(), message=2)).running() as server:
        carrier = transport(server.url, smtp.Limits(connections=1))
        started = time.monotonic()
        outcomes = carrier.send(messages(4), FROM, Marks(), tick=stop)
    assert [type(outcomes[slot]) for slot in range(4)] == [Sent, InDoubt, Untried, Untried]
    assert time.monotonic() - started < 2


def test_waiting_costs_no_time_when_the_server_is_silent():
    with Server(at("DOT", Hang())).running() as server:
        before = time.process_time()
        send(server.url, messages(1), smtp.Limits(connections=1, dot_timeout_s=1.0))
        assert time.process_time() - before < 0.2


@pytest.mark.parametrize(
    "recipient",
    ["a@b.example>\r\nRCPT TO:<c@d.example", "a\n@b.example", "a\x00@b.example", "a b@c.example", "a@b@c", "@", ""],
)
def test_message_is_refused_here_when_its_address_could_break_the_command(recipient):
    with Server().running() as server:
        outcomes, marks = send(server.url, [smtp.OutgoingMessage(0, recipient, b"x\r\n"), message(1)])
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].at_ms == 0
    assert len(recipient) < 2 or recipient not in outcomes[0].response
    assert isinstance(outcomes[1], Sent)
    assert len(server.accepted) == 1
    assert 0 not in marks.answers


def test_sender_is_refused_when_it_could_break_the_command():
    with Server().running() as server, pytest.raises(ValueError, match="address"):
        transport(server.url).send(messages(1), "a@b.example> SIZE=1\r\nRCPT TO:<x@y", Marks())


def test_parameters_of_mail_tell_what_the_message_needs():
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


def test_message_stays_here_when_the_server_cannot_take_it():
    batch = [
        message(0, body=b"x" * 500 + b"\r\n"),
        message(1, body="¿Hablamos?\r\n".encode()),
        message(2, "begoña@example.com"),
    ]
    with Server(features=("PIPELINING", "SIZE 400")).running() as server:
        carrier = transport(server.url)
        carrier.open()
        assert not carrier.eight_bit
        assert not carrier.smtputf8
        outcomes = carrier.send(batch, FROM, Marks())
        carrier.close()
    assert [type(outcomes[slot]) for slot in range(3)] == [Rejected, Untried, Rejected]
    assert outcomes[0].status == "5.3.4"
    assert not outcomes[2].dead_address


def test_lmtp_is_spoken_when_the_url_says_so():
    with Server(at("RCPT", b"550 5.1.1 no", message=2)).running() as server:
        outcomes, _ = send(server.url.replace("smtp://", "lmtp://"), messages(3))
    assert [type(outcomes[slot]) for slot in range(3)] == [Sent, Rejected, Sent]
    assert server.commands[0] == "LHLO"


def test_poisoned_message_is_given_up_when_it_breaks_every_connection():
    def rule(event, visit):
        return Drop() if event == "RCPT" and visit.recipient == "ana1@example.com" else None

    with Server(rule).running() as server:
        outcomes, _ = send(server.url, messages(3), QUICK)
    assert isinstance(outcomes[1], Untried)
    assert outcomes[1].response
    assert isinstance(outcomes[0], Sent)
