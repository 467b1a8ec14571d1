"""Connections to a relay and messages in flight to a domain, shared by the senders."""

import time

from engine.delivery.relays.connection_quota import ConnectionQuota, MessageLeases
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender
from models import ids
from tests.engine.delivery.relays.network import NO_REDIS

EXPIRE_S = 1.0


def quota(url: str, name: str, sender: str, limit: int = 10) -> ConnectionQuota:
    return ConnectionQuota(Store(url), name, limit, Sender(sender, 4))


def renewed(one: ConnectionQuota, wanted: int = 64) -> int:
    one._renew_at = 0.0  # as if a second had passed
    return one.reserve(wanted)


def test_a_single_sender_gets_what_it_wants_up_to_the_limit(broker: str) -> None:
    assert quota(broker, ids.new().hex, "a").reserve(4) == 4
    assert quota(broker, ids.new().hex, "a").reserve(64) == 10


def test_active_senders_share_the_limit(broker: str) -> None:
    name = ids.new().hex
    a, b, c = (quota(broker, name, sender) for sender in "abc")
    assert renewed(a) == 10
    assert renewed(b) == 1  # the one it may always have; the others are in use
    assert [renewed(one) for one in (a, b)] == [5, 5]
    renewed(c)
    assert [renewed(one) for one in (a, b, c)] == [4, 3, 3]


def test_an_idle_sender_keeps_one_connection(broker: str) -> None:
    name = ids.new().hex
    a, b = (quota(broker, name, sender) for sender in "ab")
    renewed(a), renewed(b), renewed(a), renewed(b)
    assert a.release() == 1
    assert renewed(b) == 9


def test_without_redis_each_sender_has_its_share() -> None:
    """10 connections for 4 assumed senders."""
    assert quota(NO_REDIS, "x", "a").reserve(64) == 2


def leases(url: str, name: str, sender: str, limit: int) -> MessageLeases:
    return MessageLeases(Store(url), name, limit, Sender(sender, 4), expire_s=EXPIRE_S)


def test_leases_of_a_dead_process_expire(broker: str) -> None:
    name = ids.new().hex
    dead, alive = (leases(broker, name, sender, 2) for sender in "ab")
    assert dead.reserve(2, in_use=0, is_urgent=False) == 2
    start = time.monotonic()
    while not alive.reserve(1, in_use=0, is_urgent=False) and time.monotonic() < start + 20:
        time.sleep(0.05)
    assert EXPIRE_S - 0.1 < time.monotonic() - start < 20


def test_a_message_that_is_in_flight_for_long_keeps_its_lease(broker: str) -> None:
    name = ids.new().hex
    slow, other = (leases(broker, name, sender, 1) for sender in "ab")
    assert slow.reserve(1, in_use=0, is_urgent=False) == 1
    until = time.monotonic() + 1.5 * EXPIRE_S
    while time.monotonic() < until:
        time.sleep(0.05)
        slow.reserve(1, in_use=1, is_urgent=False)
        assert other.reserve(1, in_use=0, is_urgent=False) == 0
    slow.release()
    time.sleep(0.03)
    assert other.reserve(1, in_use=0, is_urgent=False) == 1
