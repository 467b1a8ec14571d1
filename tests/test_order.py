"""The order of the tests of a run: those that wait come first and stay together."""

import pytest

from tests import order

PURE = [f"tests/engine/test_all.py::test_{number}" for number in range(12)]
UP = [f"tests/journeys/up/test_{name}.py::test" for name in "ab"]
FAULTS = [f"tests/faults/test_{name}.py::test_{number}" for name in "cd" for number in range(2)]


def ordered(tests: list[str], workers: int) -> list[str]:
    return [tests[position] for position in order.spread(tests, workers)]


def test_all_but_one_process_begin_with_tests_that_wait() -> None:
    result = ordered([*PURE[:6], *FAULTS, *UP, *PURE[6:]], 3)
    first, second, third = result[:6], result[6:12], result[12:]
    assert first == [*UP, *FAULTS[2:], *PURE[:2]]
    assert second == [*FAULTS[:2], *PURE[2:6]]
    assert third == PURE[6:]


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("tests", [[*PURE, *FAULTS, *UP], [*FAULTS, *UP], PURE, []])
def test_every_test_runs_once(tests: list[str], workers: int) -> None:
    assert sorted(ordered(tests, workers)) == sorted(tests)


def test_those_that_share_an_installation_stay_together() -> None:
    result = ordered([*UP[:1], *FAULTS, *PURE, *UP[1:]], 4)
    assert result.index(UP[1]) == result.index(UP[0]) + 1
