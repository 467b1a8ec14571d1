"""A circuit breaker: a relay that fails is left alone for a while, then tried with a little, then used again.

closed ──failures in a row, or a bad share──▶ open ──rest is over──▶ half-open ──worked──▶ closed
                                               ▲──────── failed, the next rest is twice as long ────────┘
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tolerance:
    """When a relay is left alone, and how long; what only a person can mend has the long rest at once."""

    in_a_row: int = 3
    share: float = 0.5  # of the messages of a window that came back because of the relay
    window_s: float = 60.0
    window_min: int = 20  # messages, before a share means anything
    rest_s: float = 2.0
    long_rest_s: float = 30.0
    longest_rest_s: float = 60.0


class Breaker:
    """The judgement on one relay in one process; each learns by itself, in one try."""

    def __init__(self, tolerance: Tolerance | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self.why = ""  # the words of the last failure
        self._tolerance = tolerance or Tolerance()
        self._now = now
        self._in_a_row = 0
        self._trips = 0  # in a row
        self._open_until: float | None = None
        self._pause_until = 0.0
        self._window: deque[tuple[float, int, int]] = deque()  # when, messages, those that came back

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        if self._open_until is None:
            return "closed"
        return "open" if self._now() < self._open_until else "half-open"

    @property
    def rests_for_s(self) -> float:
        """The seconds until it may be tried; 0.0 for now."""
        return max(0.0, (self._open_until or 0.0) - self._now(), self._pause_until - self._now())

    def failed(self, why: str, *, is_lasting: bool = False, pause_s: float = 0.0) -> None:
        """It could not be used, and wants to be left alone for `pause_s`. `is_lasting`: until a person mends it."""
        self.why = why
        self._in_a_row += 1
        self._pause_until = self._now() + pause_s
        tolerance = self._tolerance
        if is_lasting or self._in_a_row >= tolerance.in_a_row or self.state == "half-open":
            self._open(tolerance.long_rest_s if is_lasting else tolerance.rest_s)

    def carried(self, messages: int, back: int, why: str) -> None:
        """It was given `messages`, of which `back` came back, `why` because of the relay."""
        if not messages:
            return
        now, tolerance = self._now(), self._tolerance
        self._window.append((now, messages, back))
        while self._window[0][0] < now - tolerance.window_s:
            self._window.popleft()
        self._in_a_row = 0
        total, bad = (sum(entry[part] for entry in self._window) for part in (1, 2))
        if back and total >= tolerance.window_min and bad >= tolerance.share * total:
            self.why = why
            self._open(tolerance.rest_s)
        elif back and self.state == "half-open" and back >= tolerance.share * messages:
            self._open(tolerance.rest_s)
        else:
            self._close()

    def _open(self, rest_s: float) -> None:
        rest_s = min(rest_s * 2 ** min(self._trips, 10), self._tolerance.longest_rest_s)
        self._trips += 1
        self._open_until = self._now() + rest_s
        self._window.clear()

    def _close(self) -> None:
        self._open_until = None
        self._pause_until = 0.0
        self._trips = 0
        self.why = ""
