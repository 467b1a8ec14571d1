"""Rates by recipient domain: messages above the rate are left over, and due again at their turn."""

import time
from collections import Counter
from itertools import pairwise

import pytest

from engine.delivery.outcomes import Paced, Sent
from engine.delivery.relays import config
from engine.delivery.relays.balancer import Relays
from engine.delivery.relays.domain_limits import DomainLimits
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender
from tests.engine.delivery.relays.domain_process import Process, at_gmail, new_key
from tests.engine.delivery.relays.network import Network
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, message


def test_the_rate_holds_for_the_domain_and_other_messages_go(broker: str) -> None:
    """At 2/s one message goes at once. The others are due half a second apart, a little before their turn."""
    addresses = [f"a{slot}@{'gmail.com' if slot % 2 else 'empresa.example'}" for slot in range(20)]
    admitted, waits = Process(broker, "gmail.com?rate=2").group(addresses)
    assert admitted == [0, 1, *range(2, 20, 2)]
    assert list(waits) == list(range(3, 20, 2))
    assert all(later - sooner == pytest.approx(0.5, abs=0.01) for sooner, later in pairwise(waits.values()))
    assert 0 < waits[3] <= 0.5


def test_a_message_is_admitted_between_others_when_its_permit_becomes_valid(broker: str) -> None:
    addresses = [*at_gmail(12), *(f"a{slot}@empresa.example" for slot in range(100))]
    admitted: list[int] = []
    for slot in Process(broker, "gmail.com?rate=20").admission(addresses, {}):
        admitted += [slot] if slot is not None else []
        time.sleep(0.005)
    assert sorted(admitted) == list(range(112))
    assert 30 < admitted.index(11) < 105


def test_a_rate_holds_within_each_part_of_a_second(broker: str) -> None:
    """Groups of twelve at 50/s for a second: no message leaves before its permit, apart from the burst of 0.25 s."""
    process, times = Process(broker, "gmail.com?rate=50"), []
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        admission = process.admission(at_gmail(12), {})
        for slot in admission:
            if slot is None:
                time.sleep(0.002)
            else:
                times.append(time.monotonic())
        admission.close()
    by_tenth = Counter(int((at - times[0]) * 10) for at in times)
    assert max(by_tenth[tenth] for tenth in range(3, 9)) <= 8  # five, and late ones on a busy machine
    assert sum(by_tenth[tenth] for tenth in range(9)) <= 0.9 * 50 + 0.25 * 50 + 2


def test_the_next_group_queues_after_the_first(broker: str) -> None:
    process = Process(broker, "gmail.com?rate=2")
    first, second = (process.group(at_gmail(11)) for _ in range(2))
    assert (len(first[0]), len(first[1]), len(second[0])) == (1, 10, 0)
    assert min(second[1].values()) > 4.5


def test_domains_of_one_limit_share_it(broker: str) -> None:
    addresses = [f"a{slot}@{('gmail.com', 'googlemail.com')[slot % 2]}" for slot in range(8)]
    admitted, _ = Process(broker, "gmail.com,googlemail.com?rate=2").group(addresses)
    assert admitted == [0]


def test_a_message_is_admitted_at_its_turn(broker: str) -> None:
    process = Process(broker, "gmail.com?rate=5")
    admitted, waits = process.group(at_gmail(6))
    for _ in range(len(waits)):
        due_in_s = process.domains.next_due_in_s()
        assert due_in_s is not None and due_in_s <= 0.4
        time.sleep(due_in_s + 0.01)
        admitted += process.group(at_gmail(1))[0]
    assert len(admitted) == 6


def test_urgent_messages_do_not_queue(broker: str) -> None:
    process = Process(broker, "gmail.com?rate=2")
    process.group(at_gmail(30))
    assert len(process.group(at_gmail(5), is_urgent=True)[0]) == 5
    admitted, waits = process.group(at_gmail(30), is_urgent=True)
    assert len(admitted) < 30
    assert all(1.0 <= wait_s < 5 for wait_s in waits.values())


def domain_limits(redis: str, limit: str, name: str = "x") -> DomainLimits:
    return DomainLimits(config.parse_domain_limits(limit), Store(redis), Sender(name, 1))


def send_group(relays: Relays, addresses: list[str]) -> dict[int, object]:
    """Send one group to these addresses, in the order that the limits allow."""
    relays.open()
    order = relays.send_order(addresses, ())
    batch = (None if slot is None else message(slot, addresses[slot]) for slot in order)
    return dict(relays.send(batch, FROM, MemoryLog()))


def test_messages_above_the_rate_of_their_domain_are_paced(network: Network, broker: str) -> None:
    server, key = network.server(), new_key()
    relays = network.relays(server.url, limits=domain_limits(broker, f"{key}?rate=2"), redis=broker)
    outcomes = send_group(relays, [f"a{slot}@{key if slot < 10 else 'b.example'}" for slot in range(20)])
    assert sorted(outcomes) == list(range(20))
    assert [slot for slot in range(20) if isinstance(outcomes[slot], Sent)] == [0, *range(10, 20)]
    assert all(isinstance(outcomes[slot], Paced) for slot in range(1, 10))
