"""The connections of a relay, shared among the processes that send over it."""

from engine.delivery.relays.connection_quota import ConnectionQuota
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender
from models import ids


def quota(url: str, name: str, who: str, limit: int = 10) -> ConnectionQuota:
    return ConnectionQuota(Store(url), name, limit, Sender(who, 4))


def renewed(one: ConnectionQuota, most: int = 64) -> int:
    one._renew_at = 0.0  # as if a second had passed
    return one.reserve(most)


def test_one_alone_has_what_it_wants_up_to_the_limit(broker: str) -> None:
    assert quota(broker, ids.new().hex, "a").reserve(4) == 4
    assert quota(broker, ids.new().hex, "a").reserve(64) == 10


def test_those_who_send_share_and_never_have_more_together(broker: str) -> None:
    name = ids.new().hex
    a, b, c = (quota(broker, name, who) for who in "abc")
    assert renewed(a) == 10
    assert renewed(b) == 1  # one it may always have; the others are taken
    assert [renewed(one) for one in (a, b)] == [5, 5]
    renewed(c)
    assert [renewed(one) for one in (a, b, c)] == [4, 3, 3]


def test_who_rests_keeps_one_and_leaves_the_rest_to_others(broker: str) -> None:
    name = ids.new().hex
    a, b = (quota(broker, name, who) for who in "ab")
    renewed(a), renewed(b), renewed(a), renewed(b)
    assert a.release() == 1
    assert renewed(b) == 9


def test_without_redis_each_has_its_share() -> None:
    """10 connections among the 4 processes that are assumed."""
    assert quota("redis://127.0.0.1:9/0", "x", "a").reserve(64) == 2
