"""Values that a process has computed just now, shared by the requests of many open pages."""

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, TypeVar

KEPT_S = 1.0
MOST = 1_000

T = TypeVar("T")


class Recent:
    """Keeps each value for `kept_s`. It checks no permission: that is the caller's task."""

    def __init__(self, kept_s: float = KEPT_S, clock: Callable[[], float] = monotonic) -> None:
        self._kept_s, self._clock = kept_s, clock
        self._values: dict[Hashable, tuple[float, Any]] = {}

    def of(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the value of `key`, computed less than `kept_s` ago; an error is raised to each who asks."""
        until, value = self._values.get(key, (0.0, None))
        began = self._clock()
        if began < until:
            return value  # type: ignore[no-any-return]  # of the same key, so of the same `compute`
        value = compute()
        if len(self._values) >= MOST:
            self._values.clear()
        self._values[key] = began + self._kept_s, value
        return value
