"""A pacer hands out leave to send, message by message, from blocks it reserves in the shared rate."""

import time

from engine.delivery.relays.shared_rate import Shared

BLOCK_S = 0.1  # how much of the rate is reserved at once: one round trip to Redis for so much time
_PATIENT_S = 0.2  # how far ahead a campaign reserves; what is urgent may reserve further, and so comes first
_URGENT_S = 5.0
_STALE_S = 5.0  # a reserved moment that is rarer than this is kept for so long after it has come


class Pacer:
    """Asked before each message: 0.0 takes a moment, which has come; more is the seconds to wait for one."""

    def __init__(self, shared: Shared) -> None:
        self.is_urgent = False
        self._shared = shared
        self._block = max(1, round(shared.rate.per_s * BLOCK_S))
        self._left = 0
        self._interval_s = shared.rate.interval_s
        self._next = 0.0  # monotonic: the first reserved moment, or when to ask again

    def __call__(self) -> float:
        """Take one moment, or say how long to wait; about 0.2 µs, and a round trip once in 100 ms."""
        wait_s = self.wait_s()
        if wait_s > 0 or not self._left:
            return max(wait_s, 0.001)
        self._left -= 1
        self._next += self._interval_s
        return 0.0

    def wait_s(self) -> float:
        """The seconds until a message may go, 0.0 for now; takes none, but reserves a block when it has none."""
        now = time.monotonic()
        if self._left and now - self._next > max(2 * BLOCK_S, min(self._interval_s, _STALE_S)):
            self._left = 0  # reserved for a time that went by: used now, they would be a burst
            self._next = 0.0
        if not self._left and now >= self._next:
            self._reserve(now)
        return max(0.0, self._next - now)

    def in_a_second(self) -> int:
        """About how many messages this process may send within a second; at least one."""
        return max(1, int(self._shared.rate.per_s / self._shared.senders))

    def _reserve(self, now: float) -> None:
        grant = self._shared.take(self._block, within_s=_URGENT_S if self.is_urgent else _PATIENT_S)
        self._left = grant.messages
        self._interval_s = grant.interval_s
        self._next = now + grant.wait_s
