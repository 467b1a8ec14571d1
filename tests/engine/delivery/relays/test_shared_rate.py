"""One rate among several processes through Redis; and each its share while Redis is away."""

import multiprocessing
import random
import time
from typing import Any

import pytest

from engine.delivery.relays.gcra import LocalRate, Rate
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import RateLimiter, Sender, SharedRate
from models import ids

SECONDS = 2.5


@pytest.fixture
def name() -> str:
    return ids.new().hex


def shared(url: str, name: str, rate: Rate, who: str = "one", senders: int = 4) -> SharedRate:
    return SharedRate(Store(url), name, rate, Sender(who, senders))


def _send_for(url: str, name: str, per_s: float, who: str, together: Any, counts: Any) -> None:
    """As a sender does for 2.5 seconds: take whenever one may, and tell at what times, from the common start on."""
    pacer = RateLimiter(shared(url, name, Rate(per_s), who))
    together.wait(60)
    start = time.monotonic()
    taken: list[float] = []
    while (now := time.monotonic() - start) < SECONDS:
        wait_s = pacer()
        if wait_s:
            time.sleep(min(wait_s, SECONDS - now))
        else:
            taken.append(time.monotonic() - start)
    counts.put(taken)


@pytest.mark.parametrize("per_s", [30.0, 1_000.0])
def test_two_processes_share_one_rate_smoothly(broker: str, name: str, per_s: float) -> None:
    """Never more than the rate and the burst of 0.1 s; not much less, on a machine that has time for it."""
    context = multiprocessing.get_context("spawn")
    counts, together = context.Queue(), context.Barrier(2)
    senders = [
        context.Process(target=_send_for, args=(broker, name, per_s, who, together, counts)) for who in ("one", "two")
    ]
    for sender in senders:
        sender.start()
    taken = [counts.get(timeout=60) for _ in senders]
    for sender in senders:
        sender.join(30)
    assert 0.7 * per_s * SECONDS <= sum(map(len, taken)) <= per_s * (SECONDS + 0.1) + 2
    assert min(map(len, taken)) > 0.1 * per_s * SECONDS  # neither starves
    by_half = [sum(at <= moment < at + 0.5 for one in taken for moment in one) for at in (0.5, 1.0, 1.5)]
    assert max(by_half) <= 0.5 * per_s + 0.3 * per_s + 2, by_half


def test_redis_counts_as_a_process_alone_does(broker: str, name: str) -> None:
    """The script and the class are one arithmetic; at a slow rate the time between the calls is nothing."""
    dice = random.Random(7)
    far, near = shared(broker, name, Rate(0.5, burst_s=4.0)), LocalRate(Rate(0.5, burst_s=4.0))
    for _ in range(60):
        want, within_s, line = dice.randint(1, 3), dice.choice([0.0, 3.0, 9.0]), dice.random() < 0.3
        if line:
            assert far.enqueue(want).wait_s == pytest.approx(near.enqueue(want).wait_s, abs=0.5)
        else:
            there, here = far.take(want, within_s=within_s), near.take(want, within_s=within_s)
            assert there.permits == here.permits
            assert there.wait_s == pytest.approx(here.wait_s, abs=0.5)


def test_each_knows_how_many_there_are(broker: str, name: str) -> None:
    one, two = (shared(broker, name, Rate(100), who) for who in ("one", "two"))
    assert one.take(1).senders == 1
    assert (two.take(1).senders, one.take(1).senders) == (2, 2)


def test_without_redis_each_keeps_to_its_share(name: str, caplog: pytest.LogCaptureFixture) -> None:
    alone = shared("redis://127.0.0.1:9/0", name, Rate(1_000), senders=4)
    pacer, end, sent = RateLimiter(alone), time.monotonic() + 1.0, 0
    while time.monotonic() < end:
        wait_s = pacer()
        sent += not wait_s
        time.sleep(wait_s)
    assert 200 <= sent <= 280  # a quarter of the rate
    assert [record.message.split()[0] for record in caplog.records if record.name == "cadencia.pace"] == [
        "limits_local"
    ]


def test_urgent_mail_does_not_stand_behind_a_full_rate(broker: str, name: str) -> None:
    campaign, reset = (RateLimiter(shared(broker, name, Rate(2), who)) for who in ("campaign", "reset"))
    reset.is_urgent = True
    assert campaign() == 0.0
    assert campaign() > 0.3
    wait_s = reset.wait_s()
    assert 0.3 < wait_s < 0.6  # the next moment is reserved for it at once
    assert RateLimiter(shared(broker, name, Rate(2), "other campaign")).wait_s() > 0.5


def test_a_reservation_that_was_not_used_in_time_is_no_burst_later(broker: str, name: str) -> None:
    pacer = RateLimiter(shared(broker, name, Rate(200)))
    assert pacer() == 0.0
    time.sleep(0.5)
    at_once = 0
    while pacer() == 0.0:
        at_once += 1
    assert at_once <= 45  # 0.1 s worth of burst, and one block that comes as it is taken


def test_asking_a_pacer_costs_next_to_nothing(broker: str, name: str) -> None:
    pacer = RateLimiter(shared(broker, name, Rate(5_000_000)))
    assert pacer() == 0.0
    start = time.process_time()
    for _ in range(50_000):
        pacer()
    assert (time.process_time() - start) / 50_000 < 3e-6
