"""The daily limit of a relay: its warm-up plan, and the count that all senders share through Redis."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from math import floor, log

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery.relays.options import Options
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender

_BLOCK = 10  # messages reserved at once: a process that is killed loses at most so many of the day
_RECOUNT_S = 30.0
_UNLIMITED = 1_000_000_000  # a warm-up that has grown beyond this limits nothing

_TAKE = """
local used = redis.call('GET', KEYS[1]) or ARGV[3]
if used == '' then return {-1, 0} end
local grant = math.max(tonumber(ARGV[4]), math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - tonumber(used)))
redis.call('SET', KEYS[1], string.format('%.0f', tonumber(used) + grant), 'EX', 172800)
return {grant, tonumber(used) + grant}
"""


_SENT = text("SELECT coalesce(sum(sent + failed), 0) FROM email_stats WHERE hour >= :start AND hour < :end")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The current day, and the number of messages sent on a day by the database; called outside transactions."""

    today: Callable[[], date]
    sent_on: Callable[[date], int]


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A limit of `daily` messages; from the day `starts` it begins at `first` and grows by `growth` each day."""

    daily: int | None = None
    starts: date | None = None
    first: int = 50
    growth: float = 1.5

    @classmethod
    def read(cls, options: Options) -> "WarmUp":
        """Read the options `daily` and `warmup`. Raises InvalidInput."""
        daily, plan = options.count("daily"), options.warm_up("warmup")
        return cls(daily, *plan) if plan else cls(daily)

    def limit_on(self, day: date) -> int | None:
        """Return the number of messages allowed on `day`, None for no limit. It is 0 before the plan starts."""
        if self.starts is None:
            return self.daily
        age = (day - self.starts).days
        if age < 0:
            return 0
        if log(self.first) + age * log(self.growth) > log(_UNLIMITED):
            return self.daily
        grown = floor(self.first * self.growth**age + 1e-6)  # 100 × 1.1 is 110, not 110.00000000000001 or 109
        return grown if self.daily is None else min(grown, self.daily)


class DailyQuota:
    """The messages that one relay may still carry today, handed out one by one from small reserved blocks."""

    def __init__(self, store: Store, name: str, plan: WarmUp, calendar: Calendar, sender: Sender) -> None:
        self._store = store
        self._name = name
        self._plan = plan
        self._calendar = calendar
        self._senders = sender.assumed_senders
        self._reserved = 0
        self._reserved_for: date | None = None
        self._local: tuple[date, int] | None = None  # without Redis: the day, and this process's remaining messages
        self._recount_at = 0.0

    def remaining(self) -> int | None:
        """Return the messages that may still leave today, this process's reserve included; None for no limit."""
        day = self._calendar.today()
        limit = self._plan.limit_on(day)
        if limit is None:
            return None
        _, used = self._reserve(day, 0, limit)
        return max(0, limit - used) + self._reserved_on(day)

    def take(self, *, is_urgent: bool = False) -> bool:
        """Count one message and return True if the limit allows it. An urgent one is counted and always allowed."""
        day = self._calendar.today()
        if not self._reserved_on(day):
            limit = self._plan.limit_on(day)
            if limit is None:
                return True
            self._reserved_for = day
            self._reserved = self._reserve(day, _BLOCK, limit)[0]
        if not self._reserved and is_urgent:
            self._reserved = self._reserve(day, 1, 0, at_least=1)[0]
        if not self._reserved:
            return False
        self._reserved -= 1
        return True

    def give_back(self, count: int) -> None:
        """Return `count` messages to the reserve that were counted and then not sent."""
        self._reserved += count

    def _reserved_on(self, day: date) -> int:
        return self._reserved if day == self._reserved_for else 0

    def _reserve(self, day: date, wanted: int, limit: int, *, at_least: int = 0) -> tuple[int, int]:
        """Return the messages granted and the messages used; without Redis, of this process's share of the limit."""
        reply = self._run(day, wanted, limit, at_least, "")
        if reply is not None and reply[0] < 0:
            reply = self._run(day, wanted, limit, at_least, str(self._calendar.sent_on(day)))
        if reply is not None:
            self._local = None
            return reply
        return self._reserve_locally(day, wanted, limit, at_least)

    def _run(self, day: date, wanted: int, limit: int, at_least: int, counted: str) -> tuple[int, int] | None:
        reply = self._store.run(_TAKE, [f"{self._name}:day:{day:%Y%m%d}"], [wanted, limit, counted, at_least])
        return (int(reply[0]), int(reply[1])) if reply is not None else None

    def _reserve_locally(self, day: date, wanted: int, limit: int, at_least: int) -> tuple[int, int]:
        """Reserve from one sender's share of what the database leaves of the day, read again every 30 s."""
        if self._local is None or self._local[0] != day or time.monotonic() >= self._recount_at:
            self._local = day, max(0, limit - self._calendar.sent_on(day)) // self._senders
            self._recount_at = time.monotonic() + _RECOUNT_S
        remaining = self._local[1]
        granted = max(at_least, min(wanted, remaining))
        self._local = day, max(0, remaining - granted)
        return granted, limit - self._local[1]


def sent_on(session: Session, day: date) -> int:
    """Return the messages decided on `day` (UTC) over all relays; the statistics do not distinguish relays."""
    start = datetime.combine(day, time_of_day(), UTC)
    return int(session.execute(_SENT, {"start": start, "end": start + timedelta(days=1)}).scalar_one())
