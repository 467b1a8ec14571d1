"""A rate as evenly spaced moments: what may go when, in one process."""

import pytest

from engine.delivery.relays import gcra
from engine.delivery.relays.gcra import Grant, LocalRate, Rate


class Watch:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_moments_are_evenly_spaced_and_given_once(watch: Watch) -> None:
    line = LocalRate(Rate(10, burst_s=0.0), now=watch)
    assert line.take(1) == Grant(1, 0.0, 0.1, 1)
    nothing = line.take(1)
    assert (nothing.permits, round(nothing.wait_s, 6)) == (0, 0.1)
    watch.now += 0.1001
    assert line.take(5).permits == 1


def test_a_reservation_tells_when_its_first_moment_comes(watch: Watch) -> None:
    line = LocalRate(Rate(10, burst_s=0.0), now=watch)
    first, second = line.take(2, within_s=0.2), line.take(2, within_s=0.2)
    assert (first.permits, first.wait_s) == (2, 0.0)
    assert (second.permits, round(second.wait_s, 6)) == (1, 0.2)
    assert line.take(1, within_s=0.2).permits == 0
    assert line.take(1, within_s=5.0).permits == 1  # who may reserve further comes first


@pytest.mark.parametrize(("rate", "burst_s", "at_once"), [(10, 0.0, 1), (10, 1.0, 11), (1, 0.5, 1), (1000, 0.1, 101)])
def test_a_quiet_time_is_not_made_up_for_beyond_the_burst(
    watch: Watch, rate: float, burst_s: float, at_once: int
) -> None:
    """floor(burst × rate) + 1 at once, however long nothing was sent."""
    line = LocalRate(Rate(rate, burst_s=burst_s), now=watch)
    watch.now += 3_600
    assert line.take(100_000).permits == at_once


def test_over_a_minute_it_is_the_rate(watch: Watch) -> None:
    line, sent = LocalRate(Rate(7), now=watch), 0
    for _ in range(6_000):
        sent += line.take(3).permits
        watch.now += 0.01
    assert 7 * 60 <= sent <= 7 * 60 + 1


def test_those_in_line_get_turns_one_after_another_and_not_for_ever(watch: Watch) -> None:
    line = LocalRate(Rate(10), now=watch)
    assert round(line.enqueue(20).wait_s, 6) == 0.1
    assert round(line.enqueue(5).wait_s, 6) == 2.1
    assert line.take(1).permits == 1  # what has a moment now does not wait behind the line
    line.enqueue(100_000)
    assert gcra.LONGEST_WAIT_S / 2 <= line.enqueue(1).wait_s <= gcra.LONGEST_WAIT_S
