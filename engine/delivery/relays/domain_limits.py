"""Limits by recipient domain: which messages of a group may leave now, and when the others are due again."""

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from math import ceil
from random import uniform

from engine.delivery.outcomes import Outcome, Paced
from engine.delivery.relays.config import DomainLimit
from engine.delivery.relays.connection_quota import MessageLeases
from engine.delivery.relays.gcra import Rate
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender, SharedRate
from engine.delivery.smtp import Log

_WAIT_S = 0.05  # how long a group waits for permits or leases once all its other messages have left
_BURST_S = 0.25  # the burst of a rate: about the time for which a group of other messages occupies a sender
_LATE_S = 0.25  # a message may be due so long after its turn: the database has it later, and others precede it
_URGENT_AHEAD_S = 5.0
_URGENT_RETRY_S = 1.0
_FLIGHT_S = 0.1  # the assumed time a message is in flight, until one was measured
_LONGEST_GUESS_S = 60.0  # the longest wait in the queue of a limit without a rate, whose turns are estimates


class DomainLimiter:
    """One limit as one process applies it: called before each message, and again when one is no longer in flight."""

    def __init__(self, limit: DomainLimit, store: Store, sender: Sender) -> None:
        name = f"domain:{limit.names[0]}"
        rate = Rate(limit.rate.per_s, burst_s=_BURST_S) if limit.rate else Rate((limit.connections or 1) / _FLIGHT_S)
        self._rate = SharedRate(store, name, rate, sender)
        self._has_rate = limit.rate is not None
        self._leases = MessageLeases(store, name, limit.connections, sender) if limit.connections else None
        self._in_flight: dict[int, float] = {}  # start time by slot
        self._flight_s = _FLIGHT_S  # moving average
        self._waiting = 0  # messages of the group that were not admitted yet
        self._is_urgent = False
        self._permits = 0
        self._next_at = self._ask_at = self._expires_at = 0.0
        self._interval_s = 0.0  # between two permits
        self._queued = (0.0, 0.0, 1.0)  # of this process's queue: the first turn, the last turn, the interval

    def begin(self, messages: int, *, is_urgent: bool) -> None:
        """Begin a group with so many messages to these domains."""
        if is_urgent != self._is_urgent:
            self._ask_at = 0.0
        self._waiting, self._is_urgent = messages, is_urgent

    def admit(self, slot: int, refused: Collection[int]) -> bool:
        """Return True if this message may leave now; it is then in flight until `answered` or `release`.

        Slots in `refused` are no longer in flight.
        """
        if self._leases is not None:
            for other in [other for other in self._in_flight if other in refused]:
                del self._in_flight[other]
            if len(self._in_flight) >= self._reserve(self._leases):
                return False
        if self._has_rate and not self._take_permit():
            return False
        if self._leases is not None:
            self._in_flight[slot] = time.monotonic()
        self._waiting -= 1
        return True

    def answered(self, slot: int) -> None:
        """Record that this message is no longer in flight."""
        started_at = self._in_flight.pop(slot, None)
        if started_at is not None:
            self._flight_s += (time.monotonic() - started_at - self._flight_s) / 8

    def renew(self) -> None:
        """Renew the leases; call this about once a second while messages are in flight."""
        if self._leases is not None and self._in_flight:
            self._reserve(self._leases)

    def enqueue(self, count: int) -> Iterator[float]:
        """Yield the seconds after which each of `count` messages is due again. Urgent ones do not queue."""
        now = time.monotonic()
        if self._is_urgent:
            yield from [max(_URGENT_RETRY_S, self._ask_at - now)] * count
            return
        interval_s = self._queue_interval_s()
        first_s = self._rate.enqueue(count, interval_s=interval_s).wait_s
        last = now + first_s + (count - 1) * interval_s
        self._queued = (self._queued[0] if now < self._queued[1] else now + first_s, last, interval_s)
        for place in range(count):
            wait_s = max(0.0, first_s + place * interval_s - _WAIT_S)
            yield wait_s if self._has_rate else min(wait_s, uniform(0.5, 1) * _LONGEST_GUESS_S)  # noqa: S311  # spreads retries, no secret

    def release(self) -> None:
        """End the group: nothing is in flight any more."""
        self._in_flight.clear()
        if self._leases is not None:
            self._leases.release(waiting=self._waiting if self._is_urgent else 0)

    def next_due_in_s(self) -> float | None:
        """Return the seconds until this process's next queued message is due, None without one."""
        first, last, interval_s = self._queued
        now = time.monotonic() + _WAIT_S
        if now > last:
            return 0.0 if now < last + _LATE_S else None
        return first + max(0, ceil((now - first) / interval_s)) * interval_s - now

    def _take_permit(self) -> bool:
        """Use a permit of the rate if one is valid now."""
        now = time.monotonic()
        if now > self._expires_at:
            self._permits = 0
        if not self._permits and now >= self._ask_at:
            self._request_permits(now)
        if not self._permits or now < self._next_at:
            return False
        self._permits -= 1
        self._next_at += self._interval_s
        return True

    def _request_permits(self, now: float) -> None:
        """Take the permits that are valid now or while a group waits for them, and spread their use.

        Urgent messages use those of the next five seconds at once.
        """
        limit, within_s = (1, _URGENT_AHEAD_S) if self._is_urgent else (self._waiting, _WAIT_S)
        grant = self._rate.take(limit, within_s=within_s)
        self._permits, self._expires_at = grant.permits, now + _BURST_S
        self._ask_at = now if grant.permits else now + grant.wait_s
        self._next_at = now if self._is_urgent else now + grant.wait_s
        self._interval_s = min(grant.interval_s, _WAIT_S / max(1, grant.permits))

    def _reserve(self, leases: MessageLeases) -> int:
        in_use = len(self._in_flight)
        return leases.reserve(self._waiting + in_use, in_use=in_use, is_urgent=self._is_urgent)

    def _queue_interval_s(self) -> float:
        """Return the shortest time between two messages that the limit allows."""
        by_rate = self._rate.rate.interval_s if self._has_rate else 0.0
        return max(by_rate, self._flight_s / self._leases.limit if self._leases is not None else 0.0)


class Admission:
    """Admission of one group, by slot: a message to a domain without room waits, the others go ahead."""

    def __init__(self, limiters: Sequence[DomainLimiter | None], refused: Collection[int], *, is_urgent: bool) -> None:
        self._limiters = limiters  # by slot
        self._refused = refused
        self._queues: dict[DomainLimiter, deque[int]] = {
            limiter: deque() for limiter in limiters if limiter is not None
        }
        for limiter in self._queues:
            limiter.begin(limiters.count(limiter), is_urgent=is_urgent)

    def __iter__(self) -> Iterator[int | None]:
        """Yield the slots in the order in which they may leave, None while there is none.

        Messages that would have to wait too long are left over for `close`.
        """
        for slot, limiter in enumerate(self._limiters):
            yield from self._admitted()
            if limiter is None:
                yield slot
            else:
                self._queues[limiter].append(slot)
        until = time.monotonic() + _WAIT_S
        yield from self._admitted()
        while any(self._queues.values()) and time.monotonic() < until:
            yield None
            yield from self._admitted()

    def watch(self, log: Log) -> Log:
        """Return a log that passes everything to `log` and tells the limiters which messages were answered."""
        return _WatchingLog(log, self._limiters)

    def renew(self) -> None:
        """Renew the leases; call this about once a second while messages are in flight."""
        for limiter in self._queues:
            limiter.renew()

    def close(self) -> dict[int, Outcome]:
        """End the group. Return Paced for each message left over, with the time until it is due again."""
        paced: dict[int, Outcome] = {}
        for limiter, queue in self._queues.items():
            limiter.release()
            if queue:
                waits_s = limiter.enqueue(len(queue))
                paced |= {slot: Paced(wait_s) for slot, wait_s in zip(queue, waits_s, strict=True)}
        return paced

    def _admitted(self) -> Iterator[int]:
        for limiter, queue in self._queues.items():
            while queue and limiter.admit(queue[0], self._refused):
                yield queue.popleft()


class _WatchingLog:
    """A log of a batch that also tells the limiters which messages are no longer in flight."""

    def __init__(self, log: Log, limiters: Sequence[DomainLimiter | None]) -> None:
        self.complete = log.complete
        self._answered = log.answered
        self._limiters = limiters

    def answered(self, slot: int, code: int, reply: bytes, ms: int, decision: int) -> None:
        self._answered(slot, code, reply, ms, decision)
        limiter = self._limiters[slot]
        if limiter is not None:
            limiter.answered(slot)


class DomainLimits:
    """The limits of all recipient domains that have one."""

    def __init__(self, limits: Sequence[DomainLimit], store: Store, sender: Sender) -> None:
        self._limiters = [DomainLimiter(limit, store, sender) for limit in limits]
        pairs = zip(limits, self._limiters, strict=True)
        self._by_domain = {name: limiter for limit, limiter in pairs for name in limit.names}

    def admission(self, addresses: Sequence[str], refused: Collection[int], *, is_urgent: bool) -> Admission:
        """Begin a group of messages to `addresses`; `refused` fills with the slots that turn out not to be sent."""
        limiters = [self._by_domain.get(address.rpartition("@")[2].lower()) for address in addresses]
        return Admission(limiters, refused, is_urgent=is_urgent)

    def next_due_in_s(self) -> float | None:
        """Return the seconds until the next message that was left over is due, None without one."""
        waits_s = (limiter.next_due_in_s() for limiter in self._limiters)
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)
