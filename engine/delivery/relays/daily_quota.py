"""What a relay may still carry on this day: counted in Redis for all, recounted from the ledger when Redis forgot."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Member
from engine.delivery.relays.warmup import WarmUp

_BLOCK = 10  # messages reserved at once: what a process that is killed may lose of the day
_RECOUNT_S = 30.0

_TAKE = """
local used = redis.call('GET', KEYS[1]) or ARGV[3]
if used == '' then return {-1, 0} end
local grant = math.max(tonumber(ARGV[4]), math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - tonumber(used)))
redis.call('SET', KEYS[1], string.format('%.0f', tonumber(used) + grant), 'EX', 172800)
return {grant, tonumber(used) + grant}
"""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The day it is, and how many messages the ledger says have left on one; asked outside transactions."""

    today: Callable[[], date]
    sent_on: Callable[[date], int]


class Allowance:
    """The messages of a day that are left to one relay, given out one by one from small blocks."""

    def __init__(self, store: Store, name: str, plan: WarmUp, calendar: Calendar, member: Member) -> None:
        self._store = store
        self._name = name
        self._plan = plan
        self._calendar = calendar
        self._senders = member.assumed_senders
        self._stock = 0
        self._stock_day: date | None = None
        self._alone: tuple[date, int] | None = None  # the day, and what this process may still send on it
        self._recount_at = 0.0

    def left(self) -> int | None:
        """How many messages may still leave today, what this process has reserved included; None for any number."""
        day = self._calendar.today()
        ceiling = self._plan.ceiling(day)
        if ceiling is None:
            return None
        _, used = self._reserve(day, 0, ceiling)
        return max(0, ceiling - used) + self._kept(day)

    def take(self, *, is_urgent: bool = False) -> bool:
        """Count one message, if there is room for it; an urgent one is counted and always has room."""
        day = self._calendar.today()
        if not self._kept(day):
            ceiling = self._plan.ceiling(day)
            if ceiling is None:
                return True
            self._stock_day = day
            self._stock = self._reserve(day, _BLOCK, ceiling)[0]
        if not self._stock and is_urgent:
            self._stock = self._reserve(day, 1, 0, at_least=1)[0]
        if not self._stock:
            return False
        self._stock -= 1
        return True

    def put_back(self, count: int) -> None:
        """So many of the messages taken were not sent after all: the next ones have their place."""
        self._stock += count

    def _kept(self, day: date) -> int:
        return self._stock if day == self._stock_day else 0

    def _reserve(self, day: date, want: int, ceiling: int, *, at_least: int = 0) -> tuple[int, int]:
        """(how many are granted, how many are used then), by Redis or else by this process's share of the ceiling."""
        told = self._ask(day, want, ceiling, at_least, "")
        if told is not None and told[0] < 0:
            told = self._ask(day, want, ceiling, at_least, str(self._calendar.sent_on(day)))
        if told is not None:
            self._alone = None
            return told
        return self._reserve_alone(day, want, ceiling, at_least)

    def _ask(self, day: date, want: int, ceiling: int, at_least: int, counted: str) -> tuple[int, int] | None:
        told = self._store.run(_TAKE, [f"{self._name}:day:{day:%Y%m%d}"], [want, ceiling, counted, at_least])
        return (int(told[0]), int(told[1])) if told is not None else None

    def _reserve_alone(self, day: date, want: int, ceiling: int, at_least: int) -> tuple[int, int]:
        """Without Redis: the share of one sender in what the ledger, read anew every 30 s, leaves of the day."""
        if self._alone is None or self._alone[0] != day or time.monotonic() >= self._recount_at:
            self._alone = day, max(0, ceiling - self._calendar.sent_on(day)) // self._senders
            self._recount_at = time.monotonic() + _RECOUNT_S
        left = self._alone[1]
        granted = max(at_least, min(want, left))
        self._alone = day, max(0, left - granted)
        return granted, ceiling - self._alone[1]
