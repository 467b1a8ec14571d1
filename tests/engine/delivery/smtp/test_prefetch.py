"""Messages composed ahead: each once and in turn, a few in a row, no more than there is to gain."""

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
from tests.engine.delivery.smtp.senders_side import FROM, Marks, message_id, transport
from tests.engine.delivery.smtp.servers import Hang, Rule, Server, Visit

SIZE = 100
SMALL = PrefetchSizes(block=5 * SIZE, block_while_waiting=2 * SIZE, limit=8 * SIZE)


class Composing:
    """Makes messages of 100 bytes, and keeps which it was asked for and when.

    Those in `refused` cannot be made; at `fails_at` it breaks down.
    """

    def __init__(self, refused: Collection[int] = (), fails_at: int = -1) -> None:
        self.asked: list[int] = []
        self.asked_at: list[float] = []
        self._refused = refused
        self._fails_at = fails_at

    def __call__(self, slot: int) -> smtp.OutgoingMessage | None:
        if slot == self._fails_at:
            raise ZeroDivisionError("composing")
        self.asked.append(slot)
        self.asked_at.append(time.monotonic())
        head = b"Message-ID: %s\r\n\r\n" % message_id(slot).encode()
        return (
            None
            if slot in self._refused
            else smtp.OutgoingMessage(slot, "ana@example.com", head.ljust(SIZE - 2, b"x") + b"\r\n")
        )


def slow_at_the_dot(event: str, visit: Visit) -> None:
    """A server that thinks about each message for a while."""
    if event == "DOT":
        time.sleep(0.05)


def stop_after(seconds: float) -> Callable[[], None]:
    """A tick that ends the batch then."""
    began = time.monotonic()

    def tick() -> None:
        if time.monotonic() - began > seconds:
            raise smtp.StopSending

    return tick


def hang_at_the_dot_of(message: int) -> Rule:
    """A server that takes the messages before this one, and says nothing to its final dot."""
    return lambda event, visit: Hang() if event == "DOT" and visit.message == message else None


def slots(messages: Iterator[smtp.OutgoingMessage | None]) -> list[int | None]:
    return [None if message is None else message.slot for message in messages]


@given(st.integers(0, 40), st.sets(st.integers(0, 39)), st.lists(st.booleans(), max_size=60))
def test_each_message_comes_once_and_in_turn_however_much_is_composed_meanwhile(
    count: int, refused: set[int], meanwhile: list[bool]
) -> None:
    composing = Composing(tuple(refused))
    messages = Prefetch(range(count), composing, SMALL)
    given_out, seen = iter(messages), []
    for is_meanwhile in meanwhile:
        if not is_meanwhile:
            seen += slots(filter(None, [next(given_out, None)]))
        elif messages.wants_more:
            messages.compose_more()
    seen += slots(given_out)
    assert seen == [slot for slot in range(count) if slot not in refused]
    assert composing.asked == list(range(count))
    assert not messages.wants_more


def test_a_row_is_composed_when_a_message_is_asked_for_and_none_is_ready() -> None:
    composing = Composing()
    messages = iter(Prefetch(range(12), composing, SMALL))
    next(messages)
    assert len(composing.asked) == 5
    assert slots(next(messages) for _ in range(4)) == [1, 2, 3, 4]
    assert len(composing.asked) == 5


def test_meanwhile_a_shorter_row_is_composed_up_to_the_bound() -> None:
    composing = Composing()
    messages = Prefetch(range(100), composing, SMALL)
    rows = []
    while messages.wants_more:
        messages.compose_more()
        rows.append(len(composing.asked))
    assert rows == [2, 4, 6, 8]
    taken = iter(messages)
    next(taken)
    assert messages.wants_more  # there is room again
    messages.compose_more()
    assert not messages.wants_more


def test_turns_that_depend_on_the_moment_are_taken_when_a_message_is_asked_for() -> None:
    def turns() -> Iterator[int | None]:
        yield 0
        yield None
        yield 1

    composing = Composing()
    messages = Prefetch(turns(), composing, SMALL)
    assert not messages.wants_more
    given_out = iter(messages)
    first = next(given_out)
    assert first is not None
    assert composing.asked == [0]
    assert not messages.wants_more
    assert slots(given_out) == [None, 1]
    assert not messages.wants_more


def test_no_message_comes_once_they_were_ended() -> None:
    composing = Composing()
    messages = Prefetch(range(100), composing, SMALL)
    given_out = iter(messages)
    next(given_out)
    messages.compose_more()
    messages.end()
    assert slots(given_out) == []
    assert not messages.wants_more
    assert len(composing.asked) == 7


def test_messages_are_composed_while_an_answer_is_awaited_and_then_waiting_costs_no_time() -> None:
    composing = Composing()
    with Server(hang_at_the_dot_of(1)).running() as server:
        carrier = transport(server.url, smtp.Limits(connections=1))
        began, used = time.monotonic(), time.process_time()
        outcomes = carrier.send(Prefetch(range(30), composing, SMALL), FROM, Marks(), tick=stop_after(0.8))
        used = time.process_time() - used
        carrier.close()
    assert Counter(map(type, outcomes.values())) == {InDoubt: 1, Untried: 29}
    ahead_of_it = [at for at in composing.asked_at if at - began < 0.4]
    # A row, one of them on its way and one announced; then until there are eight.
    assert 8 <= len(ahead_of_it) <= 11
    assert used < 0.2


def test_answers_come_before_messages_that_are_not_wanted_yet() -> None:
    unlimited = replace(SMALL, limit=10**9)
    with Server().running() as server:
        carrier = transport(server.url, smtp.Limits(connections=4))
        outcomes = carrier.send(Prefetch(range(200), Composing(), unlimited), FROM, Marks())
        carrier.close()
    assert Counter(map(type, outcomes.values())) == {Sent: 200}
    assert len({mail.message_id for mail in server.accepted}) == len(server.accepted) == 200


@pytest.mark.parametrize("fails_at", [6, 7])
def test_messages_in_flight_are_finished_when_composing_fails_meanwhile(fails_at: int) -> None:
    with Server(slow_at_the_dot).running() as server:
        carrier = transport(server.url, smtp.Limits(connections=1))
        carrier.open()
        with pytest.raises(smtp.Interrupted) as stopped:
            carrier.send(Prefetch(range(30), Composing(fails_at=fails_at), SMALL), FROM, Marks())
        carrier.close()
    assert isinstance(stopped.value.__cause__, ZeroDivisionError)
    sent = {message_id(slot) for slot, outcome in stopped.value.outcomes.items() if isinstance(outcome, Sent)}
    assert {mail.message_id for mail in server.accepted} == sent
    assert sent
