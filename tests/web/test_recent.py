"""Values that a process shares among the requests of many open pages."""

from itertools import count

import pytest

from web.recent import KEPT_S, MOST, Recent


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_value_is_computed_once_a_second_for_each_key() -> None:
    clock, computed = _Clock(), count()
    recent = Recent(clock=clock)
    assert [recent.of(key, lambda: next(computed)) for key in ("a", "a", "b")] == [0, 0, 1]
    clock.now += KEPT_S
    assert [recent.of(key, lambda: next(computed)) for key in ("a", "a", "b")] == [2, 2, 3]


def test_an_error_is_no_value() -> None:
    recent = Recent()
    with pytest.raises(ZeroDivisionError):
        recent.of("a", lambda: 1 // 0)
    assert recent.of("a", lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        recent.of("b", lambda: 1 // 0)


def test_the_number_of_values_is_bounded() -> None:
    recent = Recent(clock=lambda: 100.0)
    for key in range(2 * MOST + 1):
        recent.of(key, lambda: "x")
    assert len(recent._values) <= MOST
