"""A rate as a line of evenly spaced moments, each good for one message: the arithmetic, for one process alone.

`head` is the first moment nobody has used yet. It never lags behind the present by more than the burst, so that
what was not sent in a quiet time is not made up for (GCRA, ITU-T I.371, with moments in place of cells). `tail` is
the end of the line in which messages wait that came too early for a moment of their own.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import NamedTuple

LONGEST_WAIT_S = 3_600.0  # in line: after that a message asks again, for the line may have been given up


@dataclass(frozen=True, slots=True)
class Rate:
    """So many messages a second; after a quiet time up to `burst_s` seconds' worth of them may go at once."""

    per_s: float
    burst_s: float = 0.1

    @property
    def interval_s(self) -> float:
        """The time between two messages."""
        return 1 / self.per_s

    def shared_by(self, senders: int) -> "Rate":
        """The share of one sender of so many."""
        return Rate(self.per_s / senders, self.burst_s)


class Grant(NamedTuple):
    """Leave to send so many `messages`, the first in `wait_s` seconds (0: now), the others `interval_s` apart.

    With none, `wait_s` is when to ask again. `senders` share the rate, as far as is known.
    """

    messages: int
    wait_s: float
    interval_s: float
    senders: int


class Timeline:
    """The moments of one rate in the memory of one process; `now` is a clock of seconds."""

    def __init__(self, rate: Rate, *, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._now = now
        self._head = 0.0
        self._tail = 0.0

    def take(self, want: int, *, within_s: float = 0.0) -> Grant:
        """Up to `want` of the moments that come within `within_s` seconds."""
        now, interval_s = self._now(), self.rate.interval_s
        head = max(self._head, now - self.rate.burst_s)
        count = max(0, min(want, floor((now + within_s - head) / interval_s) + 1))
        self._head = head + count * interval_s
        wait_s = head - now if count else head - now - within_s
        return Grant(count, max(0.0, wait_s), interval_s, 1)

    def line_up(self, count: int, *, interval_s: float | None = None) -> Grant:
        """Put `count` messages at the end of the line; when it is their turn to ask again."""
        now, interval_s = self._now(), interval_s or self.rate.interval_s
        tail = max(self._tail, self._head, now + interval_s)
        if tail - now <= LONGEST_WAIT_S:
            self._tail = tail + count * interval_s
        return Grant(count, at_most_the_longest(tail - now), interval_s, 1)


def at_most_the_longest(wait_s: float) -> float:
    """The wait; beyond the longest one at random, so that those do not all come back at once."""
    if wait_s <= LONGEST_WAIT_S:
        return wait_s
    return random.uniform(LONGEST_WAIT_S / 2, LONGEST_WAIT_S)  # noqa: S311  # jitter, not a secret
