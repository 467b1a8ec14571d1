"""Product time: the real time, or a squeezed one in which a day may pass in a second."""

from datetime import UTC, datetime
from typing import Protocol

import settings


class Clock(Protocol):
    """What tells product time: this module, or a virtual clock."""

    def now(self) -> datetime:
        """The present moment."""
        ...

    def at(self, unix_ms: int, /) -> datetime:
        """The moment of a real one, in milliseconds since 1970."""
        ...


def now() -> datetime:
    """The product's present moment. Only tasks, views and commands ask; engine functions are told."""
    return _product(datetime.now(UTC))


def at(unix_ms: int, /) -> datetime:
    """The product's time at a real moment, in milliseconds since 1970."""
    return _product(datetime.fromtimestamp(unix_ms / 1000, UTC))


def _product(real: datetime) -> datetime:
    """`clock_rate` seconds pass in one real second, counted from `clock_epoch`."""
    configured = settings.current()
    if configured.clock_epoch is None:
        return real
    return configured.clock_epoch + (real - configured.clock_epoch) * configured.clock_rate
