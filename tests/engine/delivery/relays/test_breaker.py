"""The states of a circuit breaker, and the events that change them."""

import pytest

from engine.delivery.relays.breaker import Breaker, Thresholds


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(Thresholds(), now=clock)


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    states = []
    for _ in range(3):
        breaker.record_failure("no connection")
        states.append(breaker.state)
    assert states == ["closed", "closed", "open"]
    assert (breaker.retry_after_s, breaker.why) == (2.0, "no connection")


def test_a_success_resets_the_count_of_failures(breaker: Breaker) -> None:
    for _ in range(5):
        breaker.record_failure("no connection")
        breaker.record_failure("no connection")
        breaker.record_group(10, 0, "")
    assert (breaker.state, breaker.why) == ("closed", "")


def test_a_closed_breaker_waits_for_the_pause_of_the_client(breaker: Breaker) -> None:
    breaker.record_failure("no connection", pause_s=1.0)
    assert (breaker.state, breaker.retry_after_s) == ("closed", 1.0)
    breaker.record_group(1, 0, "")
    assert breaker.retry_after_s == 0.0


def test_a_lasting_fault_opens_it_at_once_for_the_long_pause(breaker: Breaker) -> None:
    breaker.record_failure("it refused the credentials", is_lasting=True)
    assert (breaker.state, breaker.retry_after_s) == ("open", 30.0)


def test_one_group_decides_in_the_half_open_state(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.record_failure("no connection")
    clock.now += 2.0
    assert (breaker.state, breaker.retry_after_s) == ("half-open", 0.0)
    breaker.record_group(10, 0, "")
    assert breaker.state == "closed"


def test_each_failure_in_the_half_open_state_doubles_the_pause_up_to_the_longest(
    breaker: Breaker, clock: Clock
) -> None:
    for _ in range(3):
        breaker.record_failure("no connection")
    pauses = []
    for _ in range(7):
        pauses.append(breaker.retry_after_s)
        clock.now += breaker.retry_after_s
        breaker.record_failure("no connection")
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_high_share_of_failures_in_a_window_opens_it(breaker: Breaker) -> None:
    breaker.record_group(10, 9, "451 4.3.2 overloaded")
    assert breaker.state == "closed"  # ten messages are too few
    breaker.record_group(10, 1, "451 4.3.2 overloaded")
    assert (breaker.state, breaker.why) == ("open", "451 4.3.2 overloaded")


def test_failures_before_the_window_do_not_count(breaker: Breaker, clock: Clock) -> None:
    breaker.record_group(100, 45, "421")
    clock.now += 61
    breaker.record_group(100, 45, "421")
    assert breaker.state == "closed"


def test_it_opens_again_when_most_messages_of_a_half_open_group_come_back(breaker: Breaker, clock: Clock) -> None:
    breaker.record_failure("certificate", is_lasting=True)
    clock.now += 30
    breaker.record_group(10, 6, "451 4.3.2 overloaded")
    assert breaker.state == "open"
    clock.now += 60
    breaker.record_group(10, 1, "451 4.3.2 overloaded")
    assert breaker.state == "closed"


def test_an_empty_group_changes_nothing(breaker: Breaker) -> None:
    breaker.record_failure("no connection", is_lasting=True)
    breaker.record_group(0, 0, "")
    assert breaker.state == "open"
