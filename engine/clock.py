"""Product time: real time, or a faster clock for demos and tests."""

from datetime import UTC, datetime
from typing import Protocol

import settings


class Clock(Protocol):
    """A source of product time: this module, or a virtual clock."""

    def now(self) -> datetime:
        """Return the present moment."""
        ...

    def at(self, unix_ms: int, /) -> datetime:
        """Return product time at a real moment, in milliseconds since 1970."""
        ...


def now() -> datetime:
    """Return product time now. Only tasks, views and commands call it; engine functions take `now`."""
    return _product(datetime.now(UTC))


def at(unix_ms: int, /) -> datetime:
    """Return product time at a real moment, in milliseconds since 1970."""
    return _product(datetime.fromtimestamp(unix_ms / 1000, UTC))


def _product(real: datetime) -> datetime:
    """Return product time: `clock_rate` seconds pass in one real second, from `clock_epoch` on."""
    configured = settings.current()
    if configured.clock_epoch is None:
        return real
    return configured.clock_epoch + (real - configured.clock_epoch) * configured.clock_rate
