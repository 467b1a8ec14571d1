"""One rate shared by several senders through Redis, and the share of each while Redis is unavailable."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from engine.delivery.relays.gcra import LocalRate, Rate
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import RateLimiter, Sender, SharedRate
from models import ids

SECONDS = 2.0


@pytest.fixture
def name() -> str:
    return ids.new().hex


def shared(url: str, name: str, rate: Rate, who: str = "one", senders: int = 4) -> SharedRate:
    return SharedRate(Store(url), name, rate, Sender(who, senders))


def send_for_two_seconds(url: str, name: str, per_s: float, who: str, barrier: Barrier) -> list[float]:
    """Send whenever the limiter allows it, and return the times since the common start."""
    limiter = RateLimiter(shared(url, name, Rate(per_s), who))
    barrier.wait(60)
    start = time.monotonic()
    times: list[float] = []
    while (now := time.monotonic() - start) < SECONDS:
        wait_s = limiter()
        if wait_s:
            time.sleep(min(wait_s, SECONDS - now))
        else:
            times.append(time.monotonic() - start)
    return times


@pytest.mark.parametrize("per_s", [30.0, 1_000.0])
def test_two_senders_share_one_rate_evenly(broker: str, name: str, per_s: float) -> None:
    """Never more than the rate and the burst of 0.1 s, and not much less. Each has a connection of its own to Redis."""
    barrier = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(send_for_two_seconds, broker, name, per_s, who, barrier) for who in ("one", "two")]
        times = [future.result() for future in futures]
    assert 0.7 * per_s * SECONDS <= sum(map(len, times)) <= per_s * (SECONDS + 0.1) + 2
    assert min(map(len, times)) > 0.1 * per_s * SECONDS  # neither starves
    halves = [sum(start <= at < start + 0.5 for one in times for at in one) for start in (0.5, 1.0, 1.5)]
    assert max(halves) <= 0.5 * per_s + 0.3 * per_s + 2, halves


def test_redis_counts_like_a_local_rate(broker: str, name: str) -> None:
    """The script and the class use the same arithmetic. At a slow rate the time between the calls does not matter."""
    random_numbers = random.Random(7)
    remote, local = shared(broker, name, Rate(0.5, burst_s=4.0)), LocalRate(Rate(0.5, burst_s=4.0))
    for _ in range(60):
        want, within_s, line = (
            random_numbers.randint(1, 3),
            random_numbers.choice([0.0, 3.0, 9.0]),
            random_numbers.random() < 0.3,
        )
        if line:
            assert remote.enqueue(want).wait_s == pytest.approx(local.enqueue(want).wait_s, abs=0.5)
        else:
            remote_grant, local_grant = remote.take(want, within_s=within_s), local.take(want, within_s=within_s)
            assert remote_grant.permits == local_grant.permits
            assert remote_grant.wait_s == pytest.approx(local_grant.wait_s, abs=0.5)


def test_each_sender_knows_the_number_of_senders(broker: str, name: str) -> None:
    one, two = (shared(broker, name, Rate(100), who) for who in ("one", "two"))
    assert one.take(1).senders == 1
    assert (two.take(1).senders, one.take(1).senders) == (2, 2)


def test_without_redis_each_sender_keeps_to_its_share(name: str, caplog: pytest.LogCaptureFixture) -> None:
    alone = shared("redis://127.0.0.1:9/0", name, Rate(1_000), senders=4)
    limiter, end, sent = RateLimiter(alone), time.monotonic() + 1.0, 0
    while time.monotonic() < end:
        wait_s = limiter()
        sent += not wait_s
        time.sleep(wait_s)
    assert 200 <= sent <= 280  # a quarter of the rate
    assert [record.message.split()[0] for record in caplog.records if record.name == "cadencia.pace"] == [
        "limits_local"
    ]


def test_urgent_messages_do_not_wait_behind_a_full_rate(broker: str, name: str) -> None:
    campaign, urgent = (RateLimiter(shared(broker, name, Rate(2), who)) for who in ("campaign", "reset"))
    urgent.is_urgent = True
    assert campaign() == 0.0
    assert campaign() > 0.3
    wait_s = urgent.wait_s()
    assert 0.3 < wait_s < 0.6  # the next permit is reserved for it
    assert RateLimiter(shared(broker, name, Rate(2), "other campaign")).wait_s() > 0.5


def test_expired_permits_do_not_become_a_burst(broker: str, name: str) -> None:
    limiter = RateLimiter(shared(broker, name, Rate(200)))
    assert limiter() == 0.0
    time.sleep(0.5)
    at_once = 0
    while limiter() == 0.0:
        at_once += 1
    assert at_once <= 45  # a burst of 0.1 s, and one block that becomes valid meanwhile


@pytest.mark.speed
def test_a_call_of_the_limiter_costs_less_than_three_microseconds(broker: str, name: str) -> None:
    limiter = RateLimiter(shared(broker, name, Rate(5_000_000)))
    assert limiter() == 0.0
    start = time.process_time()
    for _ in range(50_000):
        limiter()
    assert (time.process_time() - start) / 50_000 < 3e-6
