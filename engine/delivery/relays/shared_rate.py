"""A rate limit that all sending processes share through Redis, by the clock of Redis."""

import time
from dataclasses import dataclass

from engine.delivery.relays.gcra import LONGEST_WAIT_S, Grant, LocalRate, Rate, capped_wait_s
from engine.delivery.relays.redis_store import Store

BLOCK_S = 0.1  # the part of the rate that is reserved with one round trip to Redis
_CAMPAIGN_AHEAD_S = 0.2  # how far ahead permits are reserved; urgent mail reserves further, so it goes first
_URGENT_AHEAD_S = 5.0
_UNUSED_S = 5.0  # the longest time for which an unused permit of a slow rate stays valid

# The arithmetic of `gcra.LocalRate`, in whole microseconds. A sender counts for five seconds after its last request.
_TAKE_OR_ENQUEUE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, burst, within = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local limit, queued, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local kept = redis.call('HMGET', KEYS[1], 'head', 'tail')
local head = math.max(tonumber(kept[1] or '0'), now - burst)
local tail = tonumber(kept[2] or '0')
local count = math.max(0, math.min(limit, math.floor((now + within - head) / interval) + 1))
local wait = head - now
if count == 0 then wait = wait - within end
head = head + count * interval
local turn = 0
if queued > 0 then
  tail = math.max(tail, head, now + interval)
  turn = tail - now
  if turn <= longest then tail = tail + queued * interval end
end
redis.call('HSET', KEYS[1], 'head', string.format('%.0f', head), 'tail', string.format('%.0f', tail))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', (math.max(head, tail, now) - now) / 1000 + 60000))
redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - 5000000))
redis.call('PEXPIRE', KEYS[2], 60000)
return {count, string.format('%.0f', math.max(0, wait)), redis.call('ZCARD', KEYS[2]), string.format('%.0f', turn)}
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """A sending process: its unique name, and the number of senders to assume until Redis has counted them."""

    name: str
    assumed_senders: int


class SharedRate:
    """One rate, shared by all processes that use the same name. Without Redis, this process's share of it."""

    def __init__(self, store: Store, name: str, rate: Rate, sender: Sender) -> None:
        self.rate = rate
        self._store = store
        self._keys = (f"{name}:moments", f"{name}:senders")
        self._sender = sender
        self._senders = sender.assumed_senders
        self._local: LocalRate | None = None

    @property
    def senders(self) -> int:
        """Return the number of processes known to share the rate."""
        return self._senders

    def take(self, limit: int, *, within_s: float = 0.0) -> Grant:
        """Take up to `limit` of the permits that become valid within `within_s` seconds, in one round trip."""
        reply = self._run(limit=limit, within_s=within_s, queued=0)
        if reply is None:
            return self._local_rate().take(limit, within_s=within_s)._replace(senders=self._senders)
        count, wait_us, _ = reply
        return Grant(count, wait_us / 1e6, self.rate.interval_s, self._senders)

    def enqueue(self, count: int, *, interval_s: float | None = None) -> Grant:
        """Append `count` messages to the queue, in one round trip; `wait_s` is the time until the first asks again.

        They are `interval_s` apart, by default the interval of the rate.
        """
        interval_s = interval_s or self.rate.interval_s
        reply = self._run(limit=0, within_s=0.0, queued=count, interval_s=interval_s)
        if reply is None:
            grant = self._local_rate().enqueue(count, interval_s=interval_s * self._senders)
            return grant._replace(senders=self._senders)
        return Grant(count, capped_wait_s(reply[2] / 1e6), interval_s, self._senders)

    def _run(
        self, *, limit: int, within_s: float, queued: int, interval_s: float | None = None
    ) -> tuple[int, int, int] | None:
        """Return the permits, and the waits of the first permit and of the queue in µs; None without Redis."""
        rate = self.rate
        microseconds = [round(s * 1e6) for s in (rate.burst_s, within_s)]
        arguments = [
            (interval_s or rate.interval_s) * 1e6,
            *microseconds,
            limit,
            queued,
            round(LONGEST_WAIT_S * 1e6),
            self._sender.name,
        ]
        reply = self._store.run(_TAKE_OR_ENQUEUE, self._keys, arguments)
        if reply is None:
            return None
        self._local = None
        self._senders = max(1, int(reply[2]))
        return int(reply[0]), int(reply[1]), int(reply[3])

    def _local_rate(self) -> LocalRate:
        if self._local is None:
            self._local = LocalRate(self.rate.shared_by(self._senders))
        return self._local


class RateLimiter:
    """Hands out the permits of a shared rate one by one, from blocks that it reserves in Redis.

    Call it before each message: 0.0 takes a permit, any other result is the seconds to wait for one.
    """

    def __init__(self, shared: SharedRate) -> None:
        self.is_urgent = False
        self._shared = shared
        self._block = max(1, round(shared.rate.per_s * BLOCK_S))
        self._permits = 0
        self._interval_s = shared.rate.interval_s
        self._next_at = 0.0  # monotonic: the time of the first reserved permit, or of the next request

    def __call__(self) -> float:
        """Take one permit, or return the seconds to wait. Costs 0.2 µs, and a round trip once in 100 ms."""
        wait_s = self.wait_s()
        if wait_s > 0 or not self._permits:
            return max(wait_s, 0.001)
        self._permits -= 1
        self._next_at += self._interval_s
        return 0.0

    def wait_s(self) -> float:
        """Return the seconds until a message may leave, 0.0 for now. Takes no permit, but may reserve a block."""
        now = time.monotonic()
        if self._permits and now - self._next_at > max(2 * BLOCK_S, min(self._interval_s, _UNUSED_S)):
            self._permits = 0  # they have expired: used now, they would be a burst
            self._next_at = 0.0
        if not self._permits and now >= self._next_at:
            self._reserve(now)
        return max(0.0, self._next_at - now)

    def per_second(self) -> int:
        """Return about how many messages this process may send within a second, at least one."""
        return max(1, int(self._shared.rate.per_s / self._shared.senders))

    def _reserve(self, now: float) -> None:
        grant = self._shared.take(self._block, within_s=_URGENT_AHEAD_S if self.is_urgent else _CAMPAIGN_AHEAD_S)
        self._permits = grant.permits
        self._interval_s = grant.interval_s
        self._next_at = now + grant.wait_s
