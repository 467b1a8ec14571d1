"""Connections by recipient domain: at most so many messages are in flight at once, over all senders."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Paced, Sent
from tests.engine.delivery.relays.domain_process import Process, asked_again, at_gmail, new_key
from tests.engine.delivery.relays.network import NO_REDIS, Network, wait_until_usable
from tests.engine.delivery.relays.test_domain_limits import domain_limits, send_group
from tests.engine.delivery.smtp.dialogue import LOCK_STEP, PIPELINING, Drop, Visit

SIX = smtp.Limits(connections=6, pause_s=0.05)


def test_no_more_messages_are_in_flight_than_the_limit(broker: str) -> None:
    outcomes: dict[int, object] = {}
    process = Process(broker, "gmail.com?connections=2")
    slots = asked_again(process.admission([*at_gmail(5), "a@b.example"], outcomes))
    assert [next(slots) for _ in range(4)] == [0, 1, 5, None]
    outcomes[1] = "sent"
    assert [next(slots) for _ in range(2)] == [2, None]
    outcomes |= {0: "sent", 2: "sent"}
    assert [next(slots) for _ in range(2)] == [3, 4]


def test_two_processes_share_the_leases_and_release_them(broker: str) -> None:
    key = new_key()
    one, two = (Process(broker, "gmail.com?connections=3", key=key, name=name) for name in "ab")
    first = one.admission(at_gmail(9), {})
    slots = asked_again(first)
    assert [next(slots) for _ in range(4)] == [0, 1, 2, None]
    assert two.group(at_gmail(9))[0] == []
    first.close()
    assert len(two.group(at_gmail(9))[0]) == 9  # one after the other, each answered at once


def test_a_process_with_all_leases_gives_up_a_share_when_it_renews(broker: str) -> None:
    key = new_key()
    one, two = (Process(broker, "gmail.com?connections=4", key=key, name=name) for name in "ab")
    addresses = [*at_gmail(30), *(f"a{slot}@empresa.example" for slot in range(30))]
    outcomes: dict[int, object] = {}
    first, second = asked_again(one.admission(addresses, outcomes)), asked_again(two.admission(addresses, {}))
    assert [next(first) for _ in range(4)] == [0, 1, 2, 3]
    assert [next(second) for _ in range(2)] == [30, 31]
    time.sleep(1.1)  # until the first renews
    outcomes |= dict.fromkeys(range(4), "sent")
    assert [next(first) for _ in range(3)] == [4, 5, 30]
    time.sleep(0.03)
    assert [next(second) for _ in range(3)] == [0, 1, 32]


def test_an_urgent_message_gets_the_next_lease(broker: str) -> None:
    key = new_key()
    campaign, reset = (Process(broker, "gmail.com?connections=1", key=key, name=name) for name in "ab")
    outcomes: dict[int, object] = {}
    slots = asked_again(campaign.admission(at_gmail(60), outcomes))
    assert next(slots) == 0
    assert reset.group(at_gmail(1), is_urgent=True) == ([], {0: 1.0})
    time.sleep(1.0)
    outcomes[0] = "sent"
    assert next(slots) is None
    assert reset.group(at_gmail(1), is_urgent=True) == ([0], {})


def test_no_lease_is_lost_when_redis_loses_its_data(broker: str) -> None:
    process = Process(broker, "gmail.com?connections=2")
    outcomes: dict[int, object] = {}
    admission = process.admission(at_gmail(9), outcomes)
    slots = asked_again(admission)
    assert [next(slots) for _ in range(2)] == [0, 1]
    redis.Redis.from_url(broker).flushall()
    admission.renew()
    outcomes |= {0: "sent", 1: "sent"}
    assert [next(slots) for _ in range(2)] == [2, 3]
    admission.close()
    assert process.group(at_gmail(5))[0] == [0, 1, 2, 3, 4]


def test_without_redis_each_process_keeps_to_its_share() -> None:
    for limit, count in (("connections=8", 2), ("connections=2", 1)):
        admission = Process(NO_REDIS, f"gmail.com?{limit}").admission(at_gmail(9), {})
        assert len([slot for slot in admission if slot is not None]) == count
        assert len(admission.close()) == 9 - count


def test_messages_without_a_lease_are_due_again_by_the_time_others_are_in_flight(broker: str) -> None:
    admission = Process(broker, "gmail.com?connections=2").admission(at_gmail(1000), {})
    admitted = [slot for slot in admission if slot is not None]
    waits = [paced.wait_s for paced in admission.close().values() if isinstance(paced, Paced)]
    assert (admitted, len(waits)) == ([0, 1], 998)
    assert waits[10] - waits[9] == pytest.approx(0.05, abs=0.01)  # the assumed 0.1 s, two at once
    assert max(waits) <= 60


class InFlight:
    """A rule of a slow server that counts the messages it handles at once, by domain."""

    def __init__(self, takes_s: float) -> None:
        self.most: Counter[str] = Counter()
        self._takes_s = takes_s
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, event: str, visit: Visit) -> None:
        if event == "RCPT":
            self._count(visit.recipient, 1)
        elif event == "DOT":
            time.sleep(self._takes_s)
            self._count(visit.recipient, -1)

    def _count(self, recipient: str, by: int) -> None:
        domain = recipient.rpartition("@")[2]
        with self._lock:
            self._now[domain] += by
            self.most[domain] = max(self.most[domain], self._now[domain])


@pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
def test_the_limit_holds_at_the_server(network: Network, broker: str, features: tuple[str, ...]) -> None:
    """Two senders with six connections each: at most two messages in flight to one domain, any number to others."""
    in_flight, key = InFlight(0.02), new_key()
    server = network.server(in_flight, features=features)
    limits = [domain_limits(broker, f"{key}?connections=2", name) for name in "ab"]
    senders = [network.relays(server.url, limits=each, redis=broker, client=SIX) for each in limits]
    addresses = [f"a{slot}@{key if slot % 2 else 'b.example'}" for slot in range(120)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda relays: send_group(relays, addresses), senders))
    assert in_flight.most[key] == 2
    assert in_flight.most["b.example"] > 4
    for outcomes in results:
        assert sorted(outcomes) == list(range(120))
        assert all(isinstance(outcomes[slot], Sent) for slot in range(0, 120, 2))
        assert all(isinstance(outcomes[slot], Sent | Paced) for slot in range(1, 120, 2))
    assert sum(isinstance(outcomes[slot], Sent) for outcomes in results for slot in range(1, 120, 2)) > 4


def test_broken_connections_leave_no_leases(network: Network, broker: str) -> None:
    server = network.server(lambda event, visit: Drop() if event == "DOT" and visit.message == 2 else None)
    key = new_key()
    relays = network.relays(server.url, limits=domain_limits(broker, f"{key}?connections=1"), redis=broker)
    outcomes: Counter[type] = Counter()
    for _ in range(5):
        wait_until_usable(relays)
        outcomes.update(type(each) for each in send_group(relays, [f"a{slot}@{key}" for slot in range(4)]).values())
    assert outcomes[InDoubt] > 0 and outcomes[Sent] >= 5
