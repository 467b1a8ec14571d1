"""Rate limiting by the generic cell rate algorithm (GCRA, ITU-T I.371), in the memory of one process.

A rate is a sequence of evenly spaced permits, each good for one message. `head` is the time of the first unused permit.
It never lags behind the clock by more than the burst, so a quiet period permits no more than that afterwards. `tail` is
the end of the queue of messages for which there was no permit.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import NamedTuple

LONGEST_WAIT_S = 3_600.0  # in the queue; after it a message asks again, because the queue may have been abandoned


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of messages per second; after a quiet period up to `burst_s` seconds' worth may leave at once."""

    per_s: float
    burst_s: float = 0.1

    @property
    def interval_s(self) -> float:
        """Return the time between two messages."""
        return 1 / self.per_s

    def shared_by(self, senders: int) -> "Rate":
        """Return the share of one of `senders` equal senders."""
        return Rate(self.per_s / senders, self.burst_s)


class Grant(NamedTuple):
    """A number of permits: the first is valid in `wait_s` seconds (0: now), the others `interval_s` apart.

    Without permits, `wait_s` is the time until the next request makes sense. `senders` is the number of processes
    known to share the rate.
    """

    permits: int
    wait_s: float
    interval_s: float
    senders: int


class LocalRate:
    """One rate in the memory of one process; `now` is a clock in seconds."""

    def __init__(self, rate: Rate, *, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._now = now
        self._head = 0.0
        self._tail = 0.0

    def take(self, limit: int, *, within_s: float = 0.0) -> Grant:
        """Take up to `limit` of the permits that become valid within `within_s` seconds."""
        now, interval_s = self._now(), self.rate.interval_s
        head = max(self._head, now - self.rate.burst_s)
        count = max(0, min(limit, floor((now + within_s - head) / interval_s) + 1))
        self._head = head + count * interval_s
        wait_s = head - now if count else head - now - within_s
        return Grant(count, max(0.0, wait_s), interval_s, 1)

    def enqueue(self, count: int, *, interval_s: float | None = None) -> Grant:
        """Append `count` messages to the queue; `wait_s` of the grant is the time until the first asks again."""
        now, interval_s = self._now(), interval_s or self.rate.interval_s
        tail = max(self._tail, self._head, now + interval_s)
        if tail - now <= LONGEST_WAIT_S:
            self._tail = tail + count * interval_s
        return Grant(count, capped_wait_s(tail - now), interval_s, 1)


def capped_wait_s(wait_s: float) -> float:
    """Return the wait, or a random one below the longest, so that messages beyond it do not all return at once."""
    if wait_s <= LONGEST_WAIT_S:
        return wait_s
    return random.uniform(LONGEST_WAIT_S / 2, LONGEST_WAIT_S)  # noqa: S311  # jitter, not a secret
