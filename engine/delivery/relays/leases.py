"""Leases: how many mails may be on their way to one recipient domain at once, over all processes that send."""

import time

from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Member

_RENEW_S = 1.0
_ASK_AGAIN_S = 0.02  # when there were fewer than wanted
_HELD_S = 5.0  # the leases of a process that was killed come free after that

# Each field of the hash: "held wanted order until", `until` in microseconds. Who wants some is entitled to an equal
# share, and the urgent come first; what others are entitled to and do not have yet is not given away again.
_HOLD = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local limit, me, order = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local want, using, takes = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local taken, others, orders = 0, {}, {order}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local held, wanted, place, till = string.match(all[i + 1], '(%d+) (%d+) (%S+) (%d+)')
  if tonumber(till) < now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= me then
    taken = taken + tonumber(held)
    others[place] = tonumber(wanted)
    table.insert(orders, place)
  end
end
table.sort(orders)
local share, left = math.floor(limit / #orders), limit % #orders
local entitled = 0
for i, place in ipairs(orders) do
  if place ~= order then
    entitled = entitled + math.min(others[place], share + (i <= left and 1 or 0))
  end
end
local may = takes and math.max(0, math.min(want, limit - taken, limit - entitled)) or 0
if want + using == 0 then
  redis.call('HDEL', KEYS[1], me)
else
  local till = string.format('%.0f', now + tonumber(ARGV[7]))
  redis.call('HSET', KEYS[1], me, math.max(may, using) .. ' ' .. want .. ' ' .. order .. ' ' .. till)
end
redis.call('PEXPIRE', KEYS[1], 60000)
return may
"""


class Leases:
    """How many of the mails that may be on their way to one domain are this process's; renewed once a second.

    While Redis is away: its share, and at least one. After Redis forgot, there may be more of them for a second.
    """

    def __init__(self, store: Store, name: str, limit: int, member: Member) -> None:
        self.limit = limit
        self._store = store
        self._key = f"{name}:leases"
        self._member = member
        self._may = 0
        self._is_held = False
        self._ask_at = 0.0

    def share(self, *, want: int, using: int, is_urgent: bool) -> int:
        """How many may be on their way now, of the `want`, `using` of which are; fewer where others have theirs."""
        now = time.monotonic()
        if now >= self._ask_at:
            want = min(want, self.limit)
            self._may = self._hold(want, using, is_urgent=is_urgent)
            self._ask_at = now + (_RENEW_S if self._may >= want else _ASK_AGAIN_S)
        return self._may

    def leave(self, *, waiting: int = 0) -> None:
        """None of ours is on its way any more. `waiting` urgent ones keep their place for when they come again."""
        if self._is_held or waiting:
            self._hold(waiting, 0, is_urgent=True, takes=False)
        self._is_held = False
        self._ask_at = 0.0

    def _hold(self, want: int, using: int, *, is_urgent: bool, takes: bool = True) -> int:
        me = self._member.name
        asked = [self.limit, me, f"{int(not is_urgent)}{me}", want, using, int(takes), round(_HELD_S * 1e6)]
        self._is_held = True
        told = self._store.run(_HOLD, [self._key], asked)
        return int(told) if told is not None else min(want, max(1, self.limit // self._member.assumed_senders))
