"""The connections one relay takes from all of us, shared among the processes that use it."""

import time

from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Member

_RENEW_S = 1.0
_ACTIVE_S = 5.0
_HELD_S = 120.0  # the seats of a process that was killed come free after that

# Each field of the hash: "seats active_until held_until", in microseconds. The active share what the idle leave.
_SIT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local limit, me, want = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local idle, taken, active, before = 0, 0, 1, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seats, busy, held = string.match(all[i + 1], '(%d+) (%d+) (%d+)')
  if tonumber(held) < now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= me then
    taken = taken + tonumber(seats)
    if tonumber(busy) < now then
      idle = idle + tonumber(seats)
    else
      active = active + 1
      if all[i] < me then before = before + 1 end
    end
  end
end
local room = math.max(0, limit - idle)
local share = math.floor(room / active)
if before < room % active then share = share + 1 end
local mine = math.max(1, math.min(want, share, limit - taken))
local busy = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], me, string.format('%d %.0f %.0f', mine, busy, now + tonumber(ARGV[5])))
redis.call('PEXPIRE', KEYS[1], 300000)
return {mine, active}
"""


class Seats:
    """How many connections this process may have: its share, renewed once a second while it sends.

    One it may always have, lest nobody could send; so with fewer seats than processes there are more connections.
    """

    def __init__(self, store: Store, name: str, limit: int, member: Member) -> None:
        self._store = store
        self._name = name
        self._limit = limit
        self._member = member
        self._mine = 1
        self._renew_at = 0.0

    def share(self, most: int) -> int:
        """The connections to have from now on, at most `most`."""
        if time.monotonic() >= self._renew_at:
            self._mine = self._sit(most, _ACTIVE_S)
            self._renew_at = time.monotonic() + _RENEW_S
        return min(most, self._mine)

    def leave(self) -> int:
        """This process rests: the connections to keep, which is one; the others are free for those who send."""
        self._renew_at = 0.0
        self._mine = self._sit(1, 0.0)
        return self._mine

    def _sit(self, want: int, active_s: float) -> int:
        times = [round(s * 1e6) for s in (active_s, _HELD_S)]
        told = self._store.run(_SIT, [f"{self._name}:seats"], [self._limit, self._member.name, want, *times])
        return int(told[0]) if told is not None else max(1, min(want, self._limit // self._member.assumed_senders))
