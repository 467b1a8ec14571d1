"""The breaker's states: closed, open, half-open, and what moves it from one to the next."""

import pytest

from engine.delivery.relays.breaker import Breaker, Thresholds


class Watch:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def breaker(watch: Watch) -> Breaker:
    return Breaker(Thresholds(), now=watch)


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    states = []
    for _ in range(3):
        breaker.record_failure("no connection")
        states.append(breaker.state)
    assert states == ["closed", "closed", "open"]
    assert (breaker.retry_after_s, breaker.why) == (2.0, "no connection")


def test_a_success_in_between_begins_the_count_anew(breaker: Breaker) -> None:
    for _ in range(5):
        breaker.record_failure("no connection")
        breaker.record_failure("no connection")
        breaker.record_group(10, 0, "")
    assert (breaker.state, breaker.why) == ("closed", "")


def test_before_it_opens_each_failure_is_followed_by_the_pause_the_client_asks_for(breaker: Breaker) -> None:
    breaker.record_failure("no connection", pause_s=1.0)
    assert (breaker.state, breaker.retry_after_s) == ("closed", 1.0)
    breaker.record_group(1, 0, "")
    assert breaker.retry_after_s == 0.0


def test_what_only_a_person_can_mend_opens_it_at_once_and_for_long(breaker: Breaker) -> None:
    breaker.record_failure("it refused the credentials", is_lasting=True)
    assert (breaker.state, breaker.retry_after_s) == ("open", 30.0)


def test_after_its_rest_one_try_decides(breaker: Breaker, watch: Watch) -> None:
    for _ in range(3):
        breaker.record_failure("no connection")
    watch.now += 2.0
    assert (breaker.state, breaker.retry_after_s) == ("half-open", 0.0)
    breaker.record_group(10, 0, "")
    assert breaker.state == "closed"


def test_each_failed_try_doubles_the_rest_up_to_the_longest(breaker: Breaker, watch: Watch) -> None:
    for _ in range(3):
        breaker.record_failure("no connection")
    rests = []
    for _ in range(7):
        rests.append(breaker.retry_after_s)
        watch.now += breaker.retry_after_s
        breaker.record_failure("no connection")
    assert rests == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_bad_share_of_a_window_opens_it(breaker: Breaker) -> None:
    breaker.record_group(10, 9, "451 4.3.2 overloaded")
    assert breaker.state == "closed"  # ten messages say little
    breaker.record_group(10, 1, "451 4.3.2 overloaded")
    assert (breaker.state, breaker.why) == ("open", "451 4.3.2 overloaded")


def test_what_lies_before_the_window_is_forgotten(breaker: Breaker, watch: Watch) -> None:
    breaker.record_group(100, 45, "421")
    watch.now += 61
    breaker.record_group(100, 45, "421")
    assert breaker.state == "closed"


def test_a_try_in_which_most_comes_back_has_failed(breaker: Breaker, watch: Watch) -> None:
    breaker.record_failure("certificate", is_lasting=True)
    watch.now += 30
    breaker.record_group(10, 6, "451 4.3.2 overloaded")
    assert breaker.state == "open"
    watch.now += 60
    breaker.record_group(10, 1, "451 4.3.2 overloaded")
    assert breaker.state == "closed"


def test_a_group_of_none_says_nothing(breaker: Breaker) -> None:
    breaker.record_failure("no connection", is_lasting=True)
    breaker.record_group(0, 0, "")
    assert breaker.state == "open"
