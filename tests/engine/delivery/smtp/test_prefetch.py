"""Prefetch of messages: each is composed once, in order, in blocks, and not beyond the limit."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Sent, Untried
from engine.delivery.smtp.prefetch import Prefetch, PrefetchSizes
from tests.engine.delivery.smtp.dialogue import Hang, Rule, Visit
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, message_id, transport
from tests.engine.delivery.smtp.servers import Server

SIZE = 100
SMALL = PrefetchSizes(block=5 * SIZE, block_while_waiting=2 * SIZE, limit=8 * SIZE)


class Composing:
    """Composes messages of 100 bytes, and records the slots and times of the calls.

    It returns None for the slots in `refused`, and raises at the slot `fails_at`.
    """

    def __init__(self, refused: Collection[int] = (), fails_at: int = -1) -> None:
        self.slots: list[int] = []
        self.times: list[float] = []
        self._refused = refused
        self._fails_at = fails_at

    def __call__(self, slot: int) -> smtp.OutgoingMessage | None:
        if slot == self._fails_at:
            raise ZeroDivisionError("composing")
        self.slots.append(slot)
        self.times.append(time.monotonic())
        head = b"Message-ID: %s\r\n\r\n" % message_id(slot).encode()
        return (
            None
            if slot in self._refused
            else smtp.OutgoingMessage(slot, "ana@example.com", head.ljust(SIZE - 2, b"x") + b"\r\n")
        )


def slow_at_the_dot(event: str, visit: Visit) -> None:
    """Delay the reply to each message."""
    if event == "DOT":
        time.sleep(0.05)


def stop_after(seconds: float) -> Callable[[], None]:
    """Return a tick that ends the batch after this time."""
    began = time.monotonic()

    def tick() -> None:
        if time.monotonic() - began > seconds:
            raise smtp.StopSending

    return tick


def hang_at_the_dot_of(message: int) -> Rule:
    """Return a rule that accepts the messages before this one, and never replies to its final dot."""
    return lambda event, visit: Hang() if event == "DOT" and visit.message == message else None


def slots(messages: Iterator[smtp.OutgoingMessage | None]) -> list[int | None]:
    return [None if message is None else message.slot for message in messages]


@given(st.integers(0, 40), st.sets(st.integers(0, 39)), st.lists(st.booleans(), max_size=60))
def test_each_message_is_composed_once_and_in_order(count: int, refused: set[int], meanwhile: list[bool]) -> None:
    composing = Composing(tuple(refused))
    messages = Prefetch(range(count), composing, SMALL)
    iterator, yielded = iter(messages), []
    for is_meanwhile in meanwhile:
        if not is_meanwhile:
            yielded += slots(filter(None, [next(iterator, None)]))
        elif messages.wants_more:
            messages.compose_more()
    yielded += slots(iterator)
    assert yielded == [slot for slot in range(count) if slot not in refused]
    assert composing.slots == list(range(count))
    assert not messages.wants_more


def test_a_block_is_composed_when_a_message_is_requested_and_none_is_ready() -> None:
    composing = Composing()
    messages = iter(Prefetch(range(12), composing, SMALL))
    next(messages)
    assert len(composing.slots) == 5
    assert slots(next(messages) for _ in range(4)) == [1, 2, 3, 4]
    assert len(composing.slots) == 5


def test_a_smaller_block_is_composed_while_waiting_up_to_the_limit() -> None:
    composing = Composing()
    messages = Prefetch(range(100), composing, SMALL)
    sizes = []
    while messages.wants_more:
        messages.compose_more()
        sizes.append(len(composing.slots))
    assert sizes == [2, 4, 6, 8]
    next(iter(messages))
    assert messages.wants_more  # below the limit again
    messages.compose_more()
    assert not messages.wants_more


def test_an_order_that_depends_on_the_moment_is_not_prefetched() -> None:
    def turns() -> Iterator[int | None]:
        yield 0
        yield None
        yield 1

    composing = Composing()
    messages = Prefetch(turns(), composing, SMALL)
    assert not messages.wants_more
    iterator = iter(messages)
    first = next(iterator)
    assert first is not None
    assert composing.slots == [0]
    assert not messages.wants_more
    assert slots(iterator) == [None, 1]
    assert not messages.wants_more


def test_no_message_is_yielded_after_the_end() -> None:
    composing = Composing()
    messages = Prefetch(range(100), composing, SMALL)
    iterator = iter(messages)
    next(iterator)
    messages.compose_more()
    messages.end()
    assert slots(iterator) == []
    assert not messages.wants_more
    assert len(composing.slots) == 7


def test_messages_are_composed_while_waiting_for_a_reply_and_then_waiting_costs_no_cpu() -> None:
    composing = Composing()
    with Server(hang_at_the_dot_of(1)).running() as server:
        client = transport(server.url, smtp.Limits(connections=1))
        started, cpu_started = time.monotonic(), time.process_time()
        outcomes = client.send(Prefetch(range(30), composing, SMALL), FROM, MemoryLog(), tick=stop_after(0.8))
        cpu_s = time.process_time() - cpu_started
        client.close()
    assert Counter(map(type, outcomes.values())) == {InDoubt: 1, Untried: 29}
    early = [at for at in composing.times if at - started < 0.4]
    # One block, of which two messages are on the connection (one in flight); then up to eight.
    assert 8 <= len(early) <= 11
    assert cpu_s < 0.2


def test_replies_are_read_before_more_messages_are_composed() -> None:
    unlimited = replace(SMALL, limit=10**9)
    with Server().running() as server:
        client = transport(server.url, smtp.Limits(connections=4))
        outcomes = client.send(Prefetch(range(200), Composing(), unlimited), FROM, MemoryLog())
        client.close()
    assert Counter(map(type, outcomes.values())) == {Sent: 200}
    assert len({mail.message_id for mail in server.accepted}) == len(server.accepted) == 200


@pytest.mark.parametrize("fails_at", [6, 7])
def test_messages_in_flight_are_finished_when_composing_ahead_fails(fails_at: int) -> None:
    with Server(slow_at_the_dot).running() as server:
        client = transport(server.url, smtp.Limits(connections=1))
        client.open()
        with pytest.raises(smtp.Interrupted) as stopped:
            client.send(Prefetch(range(30), Composing(fails_at=fails_at), SMALL), FROM, MemoryLog())
        client.close()
    assert isinstance(stopped.value.__cause__, ZeroDivisionError)
    sent = {message_id(slot) for slot, outcome in stopped.value.outcomes.items() if isinstance(outcome, Sent)}
    assert {mail.message_id for mail in server.accepted} == sent
    assert sent
