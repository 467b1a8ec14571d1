"""Batches: every message gets an outcome, whatever the caller, the composer or the server does."""

import functools
import gc
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Sent, Untried
from tests.engine.delivery.smtp.dialogue import Answer, Drop, Hang, Visit, fault
from tests.engine.delivery.smtp.senders_side import FROM, QUICK, MemoryLog, message_id, messages, send, transport
from tests.engine.delivery.smtp.servers import Server

COUNT = 500
FOUR = smtp.Limits(connections=4, connect_timeout_s=2.0, command_timeout_s=2.0, dot_timeout_s=2.0)


def test_every_message_has_an_outcome_when_sent_over_four_connections() -> None:
    with Server().running() as server:
        outcomes, log = send(server.url, messages(COUNT), FOUR)
    assert Counter(map(type, outcomes.values())) == {Sent: COUNT}
    assert Counter(mail.message_id for mail in server.accepted) == {message_id(slot): 1 for slot in range(COUNT)}
    assert len(server.connected_at) == 4
    assert len(log.calls) == 2 * COUNT


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Switch garbage collection off, so that reference cycles stay in memory."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_connections_keep_no_reference_to_a_finished_batch() -> None:
    limits = smtp.Limits(connections=2, messages_per_connection=3)
    with Server().running() as server:
        client = transport(server.url, limits)
        batch = (each for each in messages(7))
        reference = weakref.ref(batch)
        outcomes = client.send(batch, FROM, MemoryLog(), tick=functools.partial(iter, batch))
        del batch
        assert len(outcomes) == 7
        assert reference() is None
        client.close()


def test_messages_on_no_connection_are_untried_when_the_relay_is_gone() -> None:
    with Server(fault("DOT", Drop(), message=2)).running() as server:

        def vanishing() -> Iterator[smtp.OutgoingMessage]:
            yield from messages(2)
            server.close_listener()
            yield from messages(6)[2:]

        outcomes, _ = send(server.url, vanishing())
    assert [type(outcomes[slot]) for slot in range(6)] == [Sent, InDoubt, Untried, Untried, Untried, Untried]
    assert outcomes[5].response == ""


def test_messages_in_flight_are_finished_when_composing_the_next_fails() -> None:
    def failing() -> Iterator[smtp.OutgoingMessage]:
        yield from messages(3)
        raise ZeroDivisionError("composing")

    with Server().running() as server:
        client = transport(server.url)
        with pytest.raises(smtp.Interrupted) as stopped:
            client.send(failing(), FROM, MemoryLog())
        client.close()
    assert isinstance(stopped.value.__cause__, ZeroDivisionError)
    outcomes = stopped.value.outcomes
    assert set(outcomes) == {0, 1, 2}
    sent = {message_id(slot) for slot, outcome in outcomes.items() if isinstance(outcome, Sent)}
    assert {mail.message_id for mail in server.accepted} == sent
    assert len(sent) >= 2


def test_nothing_more_is_sent_when_the_log_raises() -> None:
    class Fenced(Exception):
        pass

    class Refusing(MemoryLog):
        def complete(self, slot: int) -> None:
            if slot == 1:
                raise Fenced
            super().complete(slot)

    with Server().running() as server:
        client = transport(server.url)
        with pytest.raises(Fenced):
            client.send(messages(3), FROM, Refusing())
        assert not client.is_open
        server.wait_for_the_end()
        assert [mail.message_id for mail in server.accepted] == [message_id(0)]


def test_tick_is_called_every_second_when_the_server_is_silent() -> None:
    ticks: list[float] = []
    with Server(fault("DOT", Hang())).running() as server:
        client = transport(server.url, smtp.Limits(connections=1, dot_timeout_s=2.2))
        outcomes = client.send(messages(1), FROM, MemoryLog(), tick=lambda: ticks.append(time.monotonic()))
        client.close()
    assert isinstance(outcomes[0], InDoubt)
    assert len(ticks) >= 3
    assert max(after - before for before, after in pairwise(ticks)) < 1.0


def test_message_without_reply_is_in_doubt_and_the_rest_untried_when_the_tick_stops_the_batch() -> None:
    is_hanging = threading.Event()

    def rule(event: str, visit: Visit) -> Answer:
        if event == "DOT" and visit.message == 2:
            is_hanging.set()
            return Hang()
        return None

    def stop() -> None:
        if is_hanging.is_set():
            raise smtp.StopSending

    with Server(rule).running() as server:
        client = transport(server.url, smtp.Limits(connections=1))
        started = time.monotonic()
        outcomes = client.send(messages(4), FROM, MemoryLog(), tick=stop)
    assert [type(outcomes[slot]) for slot in range(4)] == [Sent, InDoubt, Untried, Untried]
    assert time.monotonic() - started < 2


def test_waiting_for_a_silent_server_costs_no_cpu() -> None:
    with Server(fault("DOT", Hang())).running() as server:
        before = time.process_time()
        send(server.url, messages(1), smtp.Limits(connections=1, dot_timeout_s=1.0))
        assert time.process_time() - before < 0.2


def test_message_that_breaks_every_connection_is_untried() -> None:
    def rule(event: str, visit: Visit) -> Answer:
        return Drop() if event == "RCPT" and visit.recipient == "ana1@example.com" else None

    with Server(rule).running() as server:
        outcomes, _ = send(server.url, messages(3), QUICK)
    assert isinstance(outcomes[1], Untried)
    assert outcomes[1].response
    assert isinstance(outcomes[0], Sent)
