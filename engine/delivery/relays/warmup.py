"""The daily ceiling of a relay, which grows while its addresses are getting known."""

from dataclasses import dataclass
from datetime import date
from math import floor, log

from engine.delivery.relays.options import Options

_HUGE = 1_000_000_000  # a ceiling beyond this is none


@dataclass(frozen=True, slots=True)
class WarmUp:
    """At most `daily` messages a day; from `starts` on `first`, then `growth` times as many each day, up to that."""

    daily: int | None = None
    starts: date | None = None
    first: int = 50
    growth: float = 1.5

    @classmethod
    def read(cls, options: Options) -> "WarmUp":
        """From the options `daily` and `warmup`; raises InvalidInput."""
        daily, plan = options.count("daily"), options.plan("warmup")
        return cls(daily, *plan) if plan else cls(daily)

    def ceiling(self, day: date) -> int | None:
        """How many messages may leave on that day; None for any number. Before the plan starts: none."""
        if self.starts is None:
            return self.daily
        age = (day - self.starts).days
        if age < 0:
            return 0
        if log(self.first) + age * log(self.growth) > log(_HUGE):
            return self.daily
        grown = floor(self.first * self.growth**age + 1e-6)  # 100 × 1.1 is not to be 110.00000000000001 or 109
        return grown if self.daily is None else min(grown, self.daily)
