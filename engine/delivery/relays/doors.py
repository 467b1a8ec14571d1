"""The door to recipient domains that share a limit, as one process passes through it."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import ceil
from random import uniform

from engine.delivery.relays.gcra import Rate
from engine.delivery.relays.leases import Leases
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Member, Shared

HOLD_S = 0.05  # for how long a group waits for moments or connections, when all its other messages are through
_BURST_S = 0.25  # what is made up for: about as long as a group of other mails keeps a sender
_LATE_S = 0.25  # after its turn: the ledger has the message a little later, and others may be before it
_URGENT_S = 5.0
_URGENT_WAIT_S = 1.0
_LASTS_S = 0.1  # how long a mail is on its way, as long as none was seen
_LONGEST_LINE_S = 60.0  # in the line of a limit without a rate, whose turns are a guess


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """The recipient domains that share one limit, as `hotmail.com,outlook.com?rate=20&connections=4` says."""

    names: tuple[str, ...]
    rate: Rate | None
    connections: int | None


class Door:
    """Asked before each message whether it may go, and told which are on their way no more."""

    def __init__(self, limit: DomainLimit, store: Store, member: Member) -> None:
        name = f"domain:{limit.names[0]}"
        rate = Rate(limit.rate.per_s, burst_s=_BURST_S) if limit.rate else Rate((limit.connections or 1) / _LASTS_S)
        self._line = Shared(store, name, rate, member)
        self._has_rate = limit.rate is not None
        self._leases = Leases(store, name, limit.connections, member) if limit.connections else None
        self._under_way: dict[int, float] = {}  # by slot, since when
        self._lasts_s = _LASTS_S
        self._to_come = 0
        self._is_urgent = False
        self._moments = 0  # of the rate, at hand
        self._next_at = self._ask_at = self._fresh_until = 0.0
        self._apart_s = 0.0
        self._turns = (0.0, 0.0, 1.0)  # of those this process lined up: the first, the last, the time between two

    def expect(self, messages: int, *, is_urgent: bool) -> None:
        """So many are to come, of one group."""
        if is_urgent != self._is_urgent:
            self._ask_at = 0.0
        self._to_come, self._is_urgent = messages, is_urgent

    def lets_in(self, slot: int, refused: Collection[int]) -> bool:
        """Whether this message may go now; then it is on its way until it is answered or the group is over."""
        if self._leases is not None:
            for one in [one for one in self._under_way if one in refused]:
                del self._under_way[one]
            if len(self._under_way) >= self._share(self._leases):
                return False
        if self._has_rate and not self._has_moment():
            return False
        if self._leases is not None:
            self._under_way[slot] = time.monotonic()
        self._to_come -= 1
        return True

    def answered(self, slot: int) -> None:
        """This message is on its way no more."""
        since = self._under_way.pop(slot, None)
        if since is not None:
            self._lasts_s += (time.monotonic() - since - self._lasts_s) / 8

    def renew(self) -> None:
        """To be called about once a second while messages are on their way."""
        if self._leases is not None and self._under_way:
            self._share(self._leases)

    def line_up(self, count: int) -> Iterator[float]:
        """The seconds after which each of `count` messages that were not let in is to come again.

        Urgent ones stand in no line.
        """
        now = time.monotonic()
        if self._is_urgent:
            yield from [max(_URGENT_WAIT_S, self._ask_at - now)] * count
            return
        interval_s = self._interval_s()
        first_s = self._line.line_up(count, interval_s=interval_s).wait_s
        last = now + first_s + (count - 1) * interval_s
        self._turns = (self._turns[0] if now < self._turns[1] else now + first_s, last, interval_s)
        for place in range(count):
            wait_s = max(0.0, first_s + place * interval_s - HOLD_S)
            yield wait_s if self._has_rate else min(wait_s, uniform(0.5, 1) * _LONGEST_LINE_S)  # noqa: S311

    def leave(self) -> None:
        """The group is over: nothing is on its way any more."""
        self._under_way.clear()
        if self._leases is not None:
            self._leases.leave(waiting=self._to_come if self._is_urgent else 0)

    def turn_in_s(self) -> float | None:
        """The seconds until the next message in the line may come again; None when this process lined up none."""
        first, last, interval_s = self._turns
        now = time.monotonic() + HOLD_S
        if now > last:
            return 0.0 if now < last + _LATE_S else None
        return first + max(0, ceil((now - first) / interval_s)) * interval_s - now

    def _has_moment(self) -> bool:
        """Whether a moment of the rate is there to be used."""
        now = time.monotonic()
        if now > self._fresh_until:
            self._moments = 0
        if not self._moments and now >= self._ask_at:
            self._ask(now)
        if not self._moments or now < self._next_at:
            return False
        self._moments -= 1
        self._next_at += self._apart_s
        return True

    def _ask(self, now: float) -> None:
        """Take the moments that have come, and those that come while a group waits for them; they are used evenly.

        Urgent messages use those of the next five seconds, at once.
        """
        want, within_s = (1, _URGENT_S) if self._is_urgent else (self._to_come, HOLD_S)
        grant = self._line.take(want, within_s=within_s)
        self._moments, self._fresh_until = grant.messages, now + _BURST_S
        self._ask_at = now if grant.messages else now + grant.wait_s
        self._next_at = now if self._is_urgent else now + grant.wait_s
        self._apart_s = min(grant.interval_s, HOLD_S / max(1, grant.messages))

    def _share(self, leases: Leases) -> int:
        using = len(self._under_way)
        return leases.share(want=self._to_come + using, using=using, is_urgent=self._is_urgent)

    def _interval_s(self) -> float:
        """The time between two messages, as far as the limit allows it."""
        by_rate = self._line.rate.interval_s if self._has_rate else 0.0
        return max(by_rate, self._lasts_s / self._leases.limit if self._leases is not None else 0.0)
