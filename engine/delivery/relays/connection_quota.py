"""Quotas that all sending processes share through Redis: connections to a relay, messages in flight to a domain."""

import time

from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender

_RENEW_S = 1.0
_ACTIVE_S = 5.0  # a process counts as active for so long after its last request
_CONNECTIONS_EXPIRE_S = 120.0  # connections of a killed process become free after that
_LEASES_EXPIRE_S = 5.0  # leases of a killed process become free after that
_RETRY_S = 0.02  # after fewer leases were granted than requested

# Each field of the hash: "connections active_until expires", in microseconds. Active processes share what idle ones do
# not keep.
_SHARE_CONNECTIONS = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local limit, me, wanted = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local kept_by_idle, in_use, active, rank = 0, 0, 1, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local connections, active_until, expires = string.match(all[i + 1], '(%d+) (%d+) (%d+)')
  if tonumber(expires) < now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= me then
    in_use = in_use + tonumber(connections)
    if tonumber(active_until) < now then
      kept_by_idle = kept_by_idle + tonumber(connections)
    else
      active = active + 1
      if all[i] < me then rank = rank + 1 end
    end
  end
end
local room = math.max(0, limit - kept_by_idle)
local share = math.floor(room / active)
if rank < room % active then share = share + 1 end
local granted = math.max(1, math.min(wanted, share, limit - in_use))
local active_until = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], me, string.format('%d %.0f %.0f', granted, active_until, now + tonumber(ARGV[5])))
redis.call('PEXPIRE', KEYS[1], 300000)
return {granted, active}
"""

# Each field of the hash: "held wanted order expires", `expires` in microseconds. Each process that requests leases is
# entitled to an equal share, urgent ones first. What others are entitled to and do not hold yet is not granted.
_LEASE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local limit, me, order = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local wanted, in_flight, takes = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local in_use, others, orders = 0, {}, {order}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local held, requested, other, expires = string.match(all[i + 1], '(%d+) (%d+) (%S+) (%d+)')
  if tonumber(expires) < now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= me then
    in_use = in_use + tonumber(held)
    others[other] = tonumber(requested)
    table.insert(orders, other)
  end
end
table.sort(orders)
local share, left = math.floor(limit / #orders), limit % #orders
local entitled = 0
for i, other in ipairs(orders) do
  if other ~= order then
    entitled = entitled + math.min(others[other], share + (i <= left and 1 or 0))
  end
end
local granted = takes and math.max(0, math.min(wanted, limit - in_use, limit - entitled)) or 0
if wanted + in_flight == 0 then
  redis.call('HDEL', KEYS[1], me)
else
  local expires = string.format('%.0f', now + tonumber(ARGV[7]))
  redis.call('HSET', KEYS[1], me, math.max(granted, in_flight) .. ' ' .. wanted .. ' ' .. order .. ' ' .. expires)
end
redis.call('PEXPIRE', KEYS[1], 60000)
return granted
"""


class ConnectionQuota:
    """The number of connections this process may have to one relay: its share, renewed once a second while it sends.

    Every process may have one connection, or it could not send. With more processes than the limit there are therefore
    more connections than the limit.
    """

    def __init__(self, store: Store, name: str, limit: int, sender: Sender) -> None:
        self._store = store
        self._name = name
        self._limit = limit
        self._sender = sender
        self._granted = 1
        self._renew_at = 0.0

    def reserve(self, wanted: int) -> int:
        """Return the number of connections to use from now on, at most `wanted`."""
        if time.monotonic() >= self._renew_at:
            self._granted = self._request(wanted, _ACTIVE_S)
            self._renew_at = time.monotonic() + _RENEW_S
        return min(wanted, self._granted)

    def release(self) -> int:
        """Return the connections to keep while idle, which is one; the others become free for other processes."""
        self._renew_at = 0.0
        self._granted = self._request(1, 0.0)
        return self._granted

    def _request(self, wanted: int, active_s: float) -> int:
        times = [round(s * 1e6) for s in (active_s, _CONNECTIONS_EXPIRE_S)]
        arguments = [self._limit, self._sender.name, wanted, *times]
        reply = self._store.run(_SHARE_CONNECTIONS, [f"{self._name}:seats"], arguments)
        return int(reply[0]) if reply is not None else _local_share(wanted, self._limit, self._sender)


class MessageLeases:
    """The number of messages this process may have in flight to one recipient domain.

    Leases are renewed once a second, which is five times before they expire.

    Without Redis: its share, and at least one. After Redis lost its data there may be more in flight for a second.
    """

    def __init__(
        self, store: Store, name: str, limit: int, sender: Sender, *, expire_s: float = _LEASES_EXPIRE_S
    ) -> None:
        self.limit = limit
        self._store = store
        self._key = f"{name}:leases"
        self._sender = sender
        self._expire_s = expire_s
        self._renew_s = expire_s / 5
        self._granted = 0
        self._is_registered = False
        self._ask_at = 0.0

    def reserve(self, wanted: int, *, in_use: int, is_urgent: bool) -> int:
        """Return the number of messages that may be in flight now, of the `wanted`; `in_use` of them already are."""
        now = time.monotonic()
        if now >= self._ask_at:
            wanted = min(wanted, self.limit)
            self._granted = self._request(wanted, in_use, is_urgent=is_urgent)
            self._ask_at = now + (self._renew_s if self._granted >= wanted else _RETRY_S)
        return self._granted

    def release(self, *, waiting: int = 0) -> None:
        """Give back all leases. `waiting` urgent messages keep their entitlement until they come again."""
        if self._is_registered or waiting:
            self._request(waiting, 0, is_urgent=True, takes=False)
        self._is_registered = False
        self._ask_at = 0.0

    def _request(self, wanted: int, in_use: int, *, is_urgent: bool, takes: bool = True) -> int:
        name = self._sender.name
        order = f"{int(not is_urgent)}{name}"
        arguments = [self.limit, name, order, wanted, in_use, int(takes), round(self._expire_s * 1e6)]
        self._is_registered = True
        reply = self._store.run(_LEASE, [self._key], arguments)
        return int(reply) if reply is not None else _local_share(wanted, self.limit, self._sender)


def _local_share(wanted: int, limit: int, sender: Sender) -> int:
    """Return the share of one sender while Redis is unavailable, at least one."""
    return min(wanted, max(1, limit // sender.assumed_senders))
