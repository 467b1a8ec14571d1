"""The order of the tests for xdist's `worksteal`, which gives each of its processes an equal part, in this order.

Tests of processes wait two fifths of their time. At the end of a run, where their names put them, all test processes
wait at once and nobody uses the cores, and a test that is moved to another process starts its installation again.
"""

from collections.abc import Sequence
from itertools import cycle

# Tests that start processes of Cadencia, the longest first. Tests of an entry that ends with `/` share an installation.
WAITING = ("tests/journeys/up/", "tests/local/demo/", "tests/faults", "tests/journeys", "tests/bench")


def spread(tests: Sequence[str], workers: int) -> list[int]:
    """Return the positions of the tests in the order in which they run best on this many test processes.

    Each but the last process begins with tests that wait, so that there is always one that computes.
    """
    waiting: dict[str, list[int]] = {}
    others: list[int] = []
    for position, test in enumerate(tests):
        prefix = next(filter(test.startswith, WAITING), None)
        if prefix is None:
            others.append(position)
        else:
            waiting.setdefault(prefix if prefix.endswith("/") else test.partition("::")[0], []).append(position)
    beginnings: list[list[int]] = [[] for _ in range(workers)]
    by_length = sorted(waiting, key=lambda name: next(n for n, prefix in enumerate(WAITING) if name.startswith(prefix)))
    for name, beginning in zip(by_length, cycle(beginnings[: max(1, workers - 1)]), strict=False):
        beginning += waiting[name]
    return _parts(beginnings, others)


def _parts(beginnings: Sequence[list[int]], others: list[int]) -> list[int]:
    """Return the beginnings, each filled up by others to the number of tests that its process is given."""
    left = sum(map(len, beginnings)) + len(others)
    ordered: list[int] = []
    for number, beginning in enumerate(beginnings):
        size = left // (len(beginnings) - number)
        left -= size
        filled = max(0, size - len(beginning))
        ordered += [*beginning, *others[:filled]]
        others = others[filled:]
    return ordered + others
