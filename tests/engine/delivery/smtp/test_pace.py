"""Sending at a pace: the times at which messages leave, and the events handled while they wait."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Outcome, Sent, Untried
from tests.engine.delivery.smtp.dialogue import LOCK_STEP, PIPELINING, Drop, Hang, Visit
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, messages, transport
from tests.engine.delivery.smtp.servers import Server

BOTH = pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
FOUR = smtp.Limits(connections=4, pause_s=0.05)


class Pace:
    """A pace of one message for each interval; records when each message left, and the number of calls."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self.left_at: list[float] = []
        self.calls = 0

    def __call__(self) -> float:
        self.calls += 1
        now = time.monotonic()
        if self.left_at and (pause_s := self.left_at[-1] + self.interval_s - now) > 0:
            return pause_s
        self.left_at.append(now)
        return 0.0


def send(
    server: Server,
    count: int,
    pace: Callable[[], float],
    limits: smtp.Limits = FOUR,
    tick: Callable[[], None] | None = None,
) -> tuple[dict[int, Outcome], MemoryLog]:
    """Send one paced batch over a new transport."""
    log = MemoryLog()
    client = transport(server.url, limits)
    outcomes = client.send(messages(count), FROM, log, tick=tick, pace=pace)
    client.abort()
    return outcomes, log


@BOTH
def test_messages_leave_one_by_one_at_the_pace(features: Sequence[str]) -> None:
    pace = Pace(0.1)
    with Server(features=features).running() as server:
        started = time.process_time()
        outcomes, log = send(server, 5, pace)
    assert Counter(map(type, outcomes.values())) == {Sent: 5}
    assert len(pace.left_at) == 5
    assert min(after - before for before, after in pairwise(pace.left_at)) >= 0.1
    # Each message was answered before the next one left: replies are read while messages wait.
    assert log.calls == [(mark, slot) for slot in range(5) for mark in ("complete", "answered")]
    assert len(server.connected_at) <= 2  # at most one is idle
    assert pace.calls <= 10  # once for each message, and once for each wait
    assert time.process_time() - started < 0.3


@BOTH
def test_the_pace_is_called_once_for_each_message_when_it_delays_none(features: Sequence[str]) -> None:
    pace, all_connected = Pace(0.0), threading.Barrier(4)

    def rule(event: str, visit: Visit) -> None:
        if event == "DOT" and visit.message == 1:  # otherwise the first ones may be done before the others connect
            all_connected.wait(10)

    with Server(rule, features=features).running() as server:
        outcomes, _ = send(server, 200, pace)
    assert Counter(map(type, outcomes.values())) == {Sent: 200}
    assert pace.calls == 200
    assert len(server.connected_at) == 4


def test_the_pace_is_called_again_for_a_message_whose_connection_broke() -> None:
    pace = Pace(0.05)
    rule = lambda event, visit: Drop() if event == "RCPT" and visit.connection == 1 else None
    with Server(rule).running() as server:
        outcomes, _ = send(server, 1, pace)
    assert isinstance(outcomes[0], Sent)
    assert len(pace.left_at) == 2


def test_tick_is_called_while_messages_wait_and_can_end_the_batch() -> None:
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(time.monotonic())
        if len(ticks) == 3:
            raise smtp.StopSending

    pauses = iter([0.0, 3600.0])
    with Server().running() as server:
        outcomes, _ = send(server, 3, lambda: next(pauses), tick=tick)
    assert [type(outcomes[slot]) for slot in range(3)] == [Sent, Untried, Untried]
    assert max(after - before for before, after in pairwise(ticks)) < 1.0


def test_late_reply_is_noticed_while_messages_wait() -> None:
    pauses = iter([0.0, 0.9, 0.0])
    rule = lambda event, visit: Hang() if event == "DOT" and visit.connection == 1 else None
    with Server(rule).running() as server:
        outcomes, _ = send(server, 2, lambda: next(pauses), smtp.Limits(dot_timeout_s=0.4, pause_s=0.05))
    assert [type(outcomes[slot]) for slot in range(2)] == [InDoubt, Sent]


def test_all_connections_close_when_the_pace_fails() -> None:
    def failing() -> float:
        raise ZeroDivisionError

    with Server().running() as server:
        client = transport(server.url, FOUR)
        with pytest.raises(ZeroDivisionError):
            client.send(messages(3), FROM, MemoryLog(), pace=failing)
        assert not client.is_open
    assert server.accepted == []
