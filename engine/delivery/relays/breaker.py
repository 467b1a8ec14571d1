"""A circuit breaker: stops using a relay that fails, tries it again later with a few messages.

closed ──failures in a row, or a high share of failures──▶ open ──pause is over──▶ half-open ──success──▶ closed
                                                            ▲──────── failure, the next pause is twice as long ───┘
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The conditions that open a breaker, and the pauses. Faults that only a person can fix pause for long at once."""

    failures_in_a_row: int = 3
    share: float = 0.5  # of the messages in a window that came back because of the relay
    window_s: float = 60.0
    window_min: int = 20  # messages in a window before its share counts
    pause_s: float = 2.0
    long_pause_s: float = 30.0
    longest_pause_s: float = 60.0


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """One relay as one process sees it: the state of its breaker, the last failure, and the seconds until a retry.

    The names of the fields are those of the JSON in Redis.
    """

    name: str
    state: str
    why: str
    rests_for_s: float


class Breaker:
    """The breaker of one relay in one process; processes do not share it, each learns from its own failures."""

    def __init__(self, thresholds: Thresholds | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self.why = ""  # the last failure, in the words of the relay
        self._thresholds = thresholds or Thresholds()
        self._now = now
        self._failures_in_a_row = 0
        self._openings_in_a_row = 0
        self._open_until: float | None = None
        self._pause_until = 0.0
        self._window: deque[tuple[float, int, int]] = deque()  # time, messages, messages that came back

    @property
    def state(self) -> str:
        """Return `closed`, `open` or `half-open`."""
        if self._open_until is None:
            return "closed"
        return "open" if self._now() < self._open_until else "half-open"

    @property
    def retry_after_s(self) -> float:
        """Return the seconds until the relay may be tried, 0.0 for now."""
        return max(0.0, (self._open_until or 0.0) - self._now(), self._pause_until - self._now())

    def record_failure(self, why: str, *, is_lasting: bool = False, pause_s: float = 0.0) -> None:
        """Record that the relay could not be used; leave it alone for `pause_s`.

        `is_lasting` marks a fault that stays until a person fixes it.
        """
        self.why = why
        self._failures_in_a_row += 1
        self._pause_until = self._now() + pause_s
        thresholds = self._thresholds
        if is_lasting or self._failures_in_a_row >= thresholds.failures_in_a_row or self.state == "half-open":
            self._open(thresholds.long_pause_s if is_lasting else thresholds.pause_s)

    def record_group(self, messages: int, failed: int, why: str) -> None:
        """Record the result of a group of `messages`, of which `failed` came back because of the relay itself."""
        if not messages:
            return
        now, thresholds = self._now(), self._thresholds
        self._window.append((now, messages, failed))
        while self._window[0][0] < now - thresholds.window_s:
            self._window.popleft()
        self._failures_in_a_row = 0
        total, bad = (sum(entry[part] for entry in self._window) for part in (1, 2))
        if failed and total >= thresholds.window_min and bad >= thresholds.share * total:
            self.why = why
            self._open(thresholds.pause_s)
        elif failed and self.state == "half-open" and failed >= thresholds.share * messages:
            self._open(thresholds.pause_s)
        else:
            self._close()

    def _open(self, pause_s: float) -> None:
        pause_s = min(pause_s * 2 ** min(self._openings_in_a_row, 10), self._thresholds.longest_pause_s)
        self._openings_in_a_row += 1
        self._open_until = self._now() + pause_s
        self._window.clear()

    def _close(self) -> None:
        self._open_until = None
        self._pause_until = 0.0
        self._openings_in_a_row = 0
        self.why = ""
