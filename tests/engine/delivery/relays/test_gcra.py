"""GCRA in one process: permits are evenly spaced, used once, and limited by the burst."""

import pytest

from engine.delivery.relays import gcra
from engine.delivery.relays.gcra import Grant, LocalRate, Rate


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_permits_are_evenly_spaced_and_used_once(clock: Clock) -> None:
    line = LocalRate(Rate(10, burst_s=0.0), now=clock)
    assert line.take(1) == Grant(1, 0.0, 0.1, 1)
    nothing = line.take(1)
    assert (nothing.permits, round(nothing.wait_s, 6)) == (0, 0.1)
    clock.now += 0.1001
    assert line.take(5).permits == 1


def test_a_reservation_reports_when_its_first_permit_becomes_valid(clock: Clock) -> None:
    line = LocalRate(Rate(10, burst_s=0.0), now=clock)
    first, second = line.take(2, within_s=0.2), line.take(2, within_s=0.2)
    assert (first.permits, first.wait_s) == (2, 0.0)
    assert (second.permits, round(second.wait_s, 6)) == (1, 0.2)
    assert line.take(1, within_s=0.2).permits == 0
    assert line.take(1, within_s=5.0).permits == 1  # a longer reservation goes first


@pytest.mark.parametrize(("rate", "burst_s", "at_once"), [(10, 0.0, 1), (10, 1.0, 11), (1, 0.5, 1), (1000, 0.1, 101)])
def test_a_quiet_period_is_made_up_for_by_one_burst_at_most(
    clock: Clock, rate: float, burst_s: float, at_once: int
) -> None:
    """floor(burst × rate) + 1 permits at once, after any quiet period."""
    line = LocalRate(Rate(rate, burst_s=burst_s), now=clock)
    clock.now += 3_600
    assert line.take(100_000).permits == at_once


def test_the_rate_holds_over_a_minute(clock: Clock) -> None:
    line, sent = LocalRate(Rate(7), now=clock), 0
    for _ in range(6_000):
        sent += line.take(3).permits
        clock.now += 0.01
    assert 7 * 60 <= sent <= 7 * 60 + 1


def test_queued_messages_get_turns_in_order_with_a_limited_wait(clock: Clock) -> None:
    line = LocalRate(Rate(10), now=clock)
    assert round(line.enqueue(20).wait_s, 6) == 0.1
    assert round(line.enqueue(5).wait_s, 6) == 2.1
    assert line.take(1).permits == 1  # a permit that is valid now is not queued
    line.enqueue(100_000)
    assert gcra.LONGEST_WAIT_S / 2 <= line.enqueue(1).wait_s <= gcra.LONGEST_WAIT_S
