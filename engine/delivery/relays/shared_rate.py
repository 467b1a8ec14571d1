"""A rate that all sending processes share: its moments are kept in Redis, by the clock of Redis."""

from dataclasses import dataclass

from engine.delivery.relays.gcra import LONGEST_WAIT_S, Grant, Rate, Timeline, at_most_the_longest
from engine.delivery.relays.redis_store import Store

# The arithmetic of `timeline.Timeline`, in whole microseconds. A sender counts while it asked within five seconds.
_MOMENTS = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, burst, within = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local want, line, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local kept = redis.call('HMGET', KEYS[1], 'head', 'tail')
local head = math.max(tonumber(kept[1] or '0'), now - burst)
local tail = tonumber(kept[2] or '0')
local count = math.max(0, math.min(want, math.floor((now + within - head) / interval) + 1))
local wait = head - now
if count == 0 then wait = wait - within end
head = head + count * interval
local turn = 0
if line > 0 then
  tail = math.max(tail, head, now + interval)
  turn = tail - now
  if turn <= longest then tail = tail + line * interval end
end
redis.call('HSET', KEYS[1], 'head', string.format('%.0f', head), 'tail', string.format('%.0f', tail))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', (math.max(head, tail, now) - now) / 1000 + 60000))
redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - 5000000))
redis.call('PEXPIRE', KEYS[2], 60000)
return {count, string.format('%.0f', math.max(0, wait)), redis.call('ZCARD', KEYS[2]), string.format('%.0f', turn)}
"""


@dataclass(frozen=True, slots=True)
class Member:
    """Who asks: the sending process by a name of its own, and how many there are as long as Redis never told."""

    name: str
    assumed_senders: int


class Shared:
    """One rate among all processes that give it the same name. While Redis is away, this one's share of it."""

    def __init__(self, store: Store, name: str, rate: Rate, member: Member) -> None:
        self.rate = rate
        self._store = store
        self._keys = (f"{name}:moments", f"{name}:senders")
        self._member = member
        self._senders = member.assumed_senders
        self._alone: Timeline | None = None

    @property
    def senders(self) -> int:
        """How many processes share it, as far as is known."""
        return self._senders

    def take(self, want: int, *, within_s: float = 0.0) -> Grant:
        """Up to `want` of the moments that come within `within_s` seconds; one round trip."""
        told = self._ask(want=want, within_s=within_s, line=0)
        if told is None:
            return self._by_myself().take(want, within_s=within_s)._replace(senders=self._senders)
        count, wait_us, _ = told
        return Grant(count, wait_us / 1e6, self.rate.interval_s, self._senders)

    def line_up(self, count: int, *, interval_s: float | None = None) -> Grant:
        """Put `count` messages at the end of the line; when it is their turn to ask again. One round trip.

        They are `interval_s` apart, without it as the rate says.
        """
        interval_s = interval_s or self.rate.interval_s
        told = self._ask(want=0, within_s=0.0, line=count, interval_s=interval_s)
        if told is None:
            alone = self._by_myself().line_up(count, interval_s=interval_s * self._senders)
            return alone._replace(senders=self._senders)
        return Grant(count, at_most_the_longest(told[2] / 1e6), interval_s, self._senders)

    def _ask(
        self, *, want: int, within_s: float, line: int, interval_s: float | None = None
    ) -> tuple[int, int, int] | None:
        rate = self.rate
        microseconds = [round(s * 1e6) for s in (rate.burst_s, within_s)]
        arguments = [
            (interval_s or rate.interval_s) * 1e6,
            *microseconds,
            want,
            line,
            round(LONGEST_WAIT_S * 1e6),
            self._member.name,
        ]
        told = self._store.run(_MOMENTS, self._keys, arguments)
        if told is None:
            return None
        self._alone = None
        self._senders = max(1, int(told[2]))
        return int(told[0]), int(told[1]), int(told[3])

    def _by_myself(self) -> Timeline:
        if self._alone is None:
            self._alone = Timeline(self.rate.shared_by(self._senders))
        return self._alone
