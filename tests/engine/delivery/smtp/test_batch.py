"""Batches: every message gets an outcome, whatever the caller, the composer or the server does."""

import gc
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Sent, Untried
from tests.engine.delivery.smtp.senders_side import FROM, QUICK, Marks, message_id, messages, send, transport
from tests.engine.delivery.smtp.servers import Drop, Hang, Server, fault

FOUR = smtp.Limits(connections=4, connect_timeout_s=2.0, command_timeout_s=2.0, dot_timeout_s=2.0)


def test_two_thousand_messages_are_all_accounted_for_when_sent_over_four_connections():
    with Server().running() as server:
        outcomes, marks = send(server.url, messages(2_000), FOUR)
    assert Counter(map(type, outcomes.values())) == {Sent: 2_000}
    assert Counter(mail.message_id for mail in server.accepted) == {message_id(slot): 1 for slot in range(2_000)}
    assert len(server.connected_at) == 4
    assert len(marks.told) == 4_000


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


def test_messages_on_no_connection_come_back_untried_when_the_relay_is_gone():
    with Server(fault("DOT", Drop(), message=2)).running() as server:

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
    with Server(fault("DOT", Hang())).running() as server:
        carrier = transport(server.url, smtp.Limits(connections=1, dot_timeout_s=2.2))
        outcomes = carrier.send(messages(1), FROM, Marks(), tick=lambda: ticks.append(time.monotonic()))
        carrier.close()
    assert isinstance(outcomes[0], InDoubt)
    assert len(ticks) >= 3
    assert max(after - before for before, after in pairwise(ticks)) < 1.0


def test_unanswered_message_is_in_doubt_and_the_rest_untried_when_the_tick_says_stop():
    def stop():
        raise smtp.StopSending

    with Server(fault("DOT", Hang(), message=2)).running() as server:
        carrier = transport(server.url, smtp.Limits(connections=1))
        started = time.monotonic()
        outcomes = carrier.send(messages(4), FROM, Marks(), tick=stop)
    assert [type(outcomes[slot]) for slot in range(4)] == [Sent, InDoubt, Untried, Untried]
    assert time.monotonic() - started < 2


def test_waiting_costs_no_time_when_the_server_is_silent():
    with Server(fault("DOT", Hang())).running() as server:
        before = time.process_time()
        send(server.url, messages(1), smtp.Limits(connections=1, dot_timeout_s=1.0))
        assert time.process_time() - before < 0.2


def test_poisoned_message_is_given_up_when_it_breaks_every_connection():
    def rule(event, visit):
        return Drop() if event == "RCPT" and visit.recipient == "ana1@example.com" else None

    with Server(rule).running() as server:
        outcomes, _ = send(server.url, messages(3), QUICK)
    assert isinstance(outcomes[1], Untried)
    assert outcomes[1].response
    assert isinstance(outcomes[0], Sent)
