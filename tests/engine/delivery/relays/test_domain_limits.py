"""Limits by recipient domain: what comes too early stays behind, with the time of its turn."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
import redis

from engine.delivery.outcomes import Paced
from engine.delivery.relays import config
from engine.delivery.relays.config import DomainLimit
from engine.delivery.relays.domain_limits import Admission, DomainLimits
from engine.delivery.relays.gcra import Rate
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender
from errors import InvalidInput
from models import ids


class Process:
    """One sending process as the limits see it; those of one `place` share them."""

    def __init__(self, url: str, limit: str, *, place: str = "", who: str = "x", senders: int = 4) -> None:
        (read,) = config.parse_domain_limits(limit)
        shared = DomainLimit((place or f"{ids.new().hex}.example", *read.names), read.rate, read.connections)
        self.domains = DomainLimits([shared], Store(url), Sender(who, senders))

    def admission(
        self, addresses: Sequence[str], outcomes: Mapping[int, object], *, is_urgent: bool = False
    ) -> Admission:
        return self.domains.admission(addresses, outcomes, is_urgent=is_urgent)

    def group(self, addresses: Sequence[str], *, is_urgent: bool = False) -> tuple[list[int], dict[int, float]]:
        """Which of a group pass, each answered at once; and the waits of the others."""
        outcomes: dict[int, object] = {}
        admission = self.admission(addresses, outcomes, is_urgent=is_urgent)
        passed = []
        for slot in admission:
            if slot is None:
                time.sleep(0.005)
            else:
                passed.append(slot)
                outcomes[slot] = "sent"
        behind = admission.close()
        assert all(isinstance(outcome, Paced) for outcome in behind.values())
        return passed, {slot: paced.wait_s for slot, paced in sorted(behind.items()) if isinstance(paced, Paced)}


def at_gmail(count: int) -> list[str]:
    return [f"A{number}@GMail.com" for number in range(count)]


def waiting(admission: Admission) -> Iterator[int | None]:
    """The gate, asked once more each time: what it lets in, or None."""
    slots = iter(admission)
    while True:
        yield next(slots)


def test_the_rate_holds_for_the_domain_and_others_pass(broker: str) -> None:
    """At 2/s one goes at once; the others half a second apart, at hand a little before their turn."""
    batch = [f"a{slot}@{'gmail.com' if slot % 2 else 'empresa.example'}" for slot in range(20)]
    passed, waits = Process(broker, "gmail.com?rate=2").group(batch)
    assert passed == [0, 1, *range(2, 20, 2)]
    assert list(waits) == list(range(3, 20, 2))
    assert all(later - sooner == pytest.approx(0.5, abs=0.01) for sooner, later in pairwise(waits.values()))
    assert 0 < waits[3] <= 0.5


def test_a_message_whose_moment_comes_while_others_go_is_let_in_between_them(broker: str) -> None:
    batch = [*at_gmail(12), *(f"a{slot}@empresa.example" for slot in range(100))]
    admission = Process(broker, "gmail.com?rate=20").admission(batch, {})
    passed: list[int] = []
    for slot in admission:
        passed += [slot] if slot is not None else []
        time.sleep(0.005)
    assert sorted(passed) == list(range(112))
    assert 30 < passed.index(11) < 105


def test_the_moments_of_a_rate_are_kept_within_a_second(broker: str) -> None:
    """Five groups of twelve within a second at 50/s: none goes before its moment, but for the first quarter second."""
    process, let_in = Process(broker, "gmail.com?rate=50"), []
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        outcomes: dict[int, object] = {}
        admission = process.admission(at_gmail(12), outcomes)
        for slot in admission:
            if slot is None:
                time.sleep(0.002)
            else:
                let_in.append(time.monotonic())
        admission.close()
    start = let_in[0]
    by_tenth = Counter(int((at - start) * 10) for at in let_in)
    assert max(by_tenth[tenth] for tenth in range(3, 9)) <= 8  # five, and what a busy machine makes late
    assert sum(by_tenth[tenth] for tenth in range(9)) <= 0.9 * 50 + 0.25 * 50 + 2


def test_the_next_group_lines_up_behind_the_first(broker: str) -> None:
    process = Process(broker, "gmail.com?rate=2")
    first, second = (process.group(at_gmail(11)) for _ in range(2))
    assert (len(first[0]), len(first[1]), len(second[0])) == (1, 10, 0)
    assert min(second[1].values()) > 4.5


def test_domains_of_one_limit_share_it(broker: str) -> None:
    batch = [f"a{slot}@{('gmail.com', 'googlemail.com')[slot % 2]}" for slot in range(8)]
    passed, _ = Process(broker, "gmail.com,googlemail.com?rate=2").group(batch)
    assert passed == [0]


def test_a_message_goes_when_its_turn_has_come(broker: str) -> None:
    process = Process(broker, "gmail.com?rate=5")
    passed, waits = process.group(at_gmail(6))
    for _ in range(len(waits)):
        turn_s = process.domains.next_due_in_s()
        assert turn_s is not None and turn_s <= 0.4
        time.sleep(turn_s + 0.01)
        passed += process.group(at_gmail(1))[0]
    assert len(passed) == 6


def test_urgent_mail_stands_in_no_line(broker: str) -> None:
    process = Process(broker, "gmail.com?rate=2")
    process.group(at_gmail(30))
    assert len(process.group(at_gmail(5), is_urgent=True)[0]) == 5
    passed, waits = process.group(at_gmail(30), is_urgent=True)
    assert len(passed) < 30
    assert all(1.0 <= wait_s < 5 for wait_s in waits.values())


def test_no_more_are_on_their_way_at_once_than_the_limit_says(broker: str) -> None:
    outcomes: dict[int, object] = {}
    slots = waiting(Process(broker, "gmail.com?connections=2").admission([*at_gmail(5), "a@b.example"], outcomes))
    assert [next(slots) for _ in range(4)] == [0, 1, 5, None]
    outcomes[1] = "sent"
    assert [next(slots) for _ in range(2)] == [2, None]
    outcomes |= {0: "sent", 2: "sent"}
    assert [next(slots) for _ in range(2)] == [3, 4]


def test_two_processes_share_the_connections_and_give_them_back(broker: str) -> None:
    place = f"{ids.new().hex}.example"
    one, two = (Process(broker, "gmail.com?connections=3", place=place, who=who) for who in "ab")
    outcomes: dict[int, object] = {}
    first = one.admission(at_gmail(9), outcomes)
    mine = waiting(first)
    assert [next(mine) for _ in range(4)] == [0, 1, 2, None]
    assert two.group(at_gmail(9))[0] == []
    first.close()
    assert len(two.group(at_gmail(9))[0]) == 9  # one after the other, each answered at once


def test_who_has_all_of_them_leaves_a_share_to_who_comes(broker: str) -> None:
    place = f"{ids.new().hex}.example"
    one, two = (Process(broker, "gmail.com?connections=4", place=place, who=who) for who in "ab")
    batch = [*at_gmail(30), *(f"a{slot}@empresa.example" for slot in range(30))]
    outcomes: dict[int, object] = {}
    mine, theirs = waiting(one.admission(batch, outcomes)), waiting(two.admission(batch, {}))
    assert [next(mine) for _ in range(4)] == [0, 1, 2, 3]
    assert [next(theirs) for _ in range(2)] == [30, 31]
    time.sleep(1.1)  # until the first renews
    outcomes |= dict.fromkeys(range(4), "sent")
    assert [next(mine) for _ in range(3)] == [4, 5, 30]
    time.sleep(0.03)
    assert [next(theirs) for _ in range(3)] == [0, 1, 32]


def test_an_urgent_message_has_the_next_connection(broker: str) -> None:
    place = f"{ids.new().hex}.example"
    campaign, reset = (Process(broker, "gmail.com?connections=1", place=place, who=who) for who in "ab")
    outcomes: dict[int, object] = {}
    mine = waiting(campaign.admission(at_gmail(60), outcomes))
    assert next(mine) == 0
    assert reset.group(at_gmail(1), is_urgent=True) == ([], {0: 1.0})
    time.sleep(1.0)
    outcomes[0] = "sent"
    assert next(mine) is None
    assert reset.group(at_gmail(1), is_urgent=True) == ([0], {})


def test_the_connections_of_a_process_that_died_come_free(broker: str) -> None:
    place = f"{ids.new().hex}.example"
    dead, alive = (Process(broker, "gmail.com?connections=2", place=place, who=who) for who in "ab")
    mine = waiting(dead.admission(at_gmail(9), {}))
    assert [next(mine) for _ in range(2)] == [0, 1]
    until = time.monotonic() + 10
    while not (passed := alive.group(at_gmail(3))[0]) and time.monotonic() < until:
        time.sleep(0.2)
    assert passed and time.monotonic() > until - 10 + 3


def test_a_message_that_is_long_on_its_way_keeps_its_connection(broker: str) -> None:
    place = f"{ids.new().hex}.example"
    slow, other = (Process(broker, "gmail.com?connections=1", place=place, who=who) for who in "ab")
    admission = slow.admission(at_gmail(1), {})
    assert next(iter(admission)) == 0
    for _ in range(13):  # longer than a lease lasts
        time.sleep(0.5)
        admission.renew()
        assert other.group(at_gmail(1))[0] == []
    admission.close()
    assert other.group(at_gmail(1))[0] == [0]


def test_when_redis_forgot_no_connection_is_lost(broker: str) -> None:
    process = Process(broker, "gmail.com?connections=2")
    outcomes: dict[int, object] = {}
    admission = process.admission(at_gmail(9), outcomes)
    slots = waiting(admission)
    assert [next(slots) for _ in range(2)] == [0, 1]
    redis.Redis.from_url(broker).flushall()
    admission.renew()
    outcomes |= {0: "sent", 1: "sent"}
    assert [next(slots) for _ in range(2)] == [2, 3]
    admission.close()
    assert process.group(at_gmail(5))[0] == [0, 1, 2, 3, 4]


def test_while_redis_is_away_each_process_keeps_to_its_share() -> None:
    for limit, passes in (("connections=8", 2), ("connections=2", 1)):
        admission = Process("redis://127.0.0.1:9/0", f"gmail.com?{limit}").admission(at_gmail(9), {})
        assert len([slot for slot in admission if slot is not None]) == passes
        assert len(admission.close()) == 9 - passes


def test_who_finds_no_connection_comes_again_by_how_long_messages_last(broker: str) -> None:
    process = Process(broker, "gmail.com?connections=2")
    outcomes: dict[int, Any] = {}
    admission = process.admission(at_gmail(1000), outcomes)
    passed = [slot for slot in admission if slot is not None]
    waits = [paced.wait_s for paced in admission.close().values() if isinstance(paced, Paced)]
    assert (passed, len(waits)) == ([0, 1], 998)
    assert waits[10] - waits[9] == pytest.approx(0.05, abs=0.01)  # 0.1 s as long as nothing is known, two at once
    assert max(waits) <= 60


def test_limits_are_read_with_their_units() -> None:
    gmail, orange, gmx = config.parse_domain_limits(
        "Gmail.com,googlemail.com?rate=20/s  orange.fr?rate=90/m&connections=3 gmx.de?connections=2"
    )
    assert (gmail.names, gmail.rate, gmail.connections) == (("gmail.com", "googlemail.com"), Rate(20.0), None)
    assert (orange.names, orange.rate, orange.connections) == (("orange.fr",), Rate(1.5), 3)
    assert (gmx.rate, gmx.connections) == (None, 2)
    assert config.parse_domain_limits("") == []


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ("gmail.com", r"domain_limits\[1\]\.rate: is missing"),
        ("a.example?rate=1 gmail?rate=2", r"domain_limits\[2\]: expected domains and limits"),
        ("a.example?rate=0", r"domain_limits\[1\]\.rate: expected messages a second"),
        ("a.example?rate=5/d", r"domain_limits\[1\]\.rate: expected messages a second"),
        ("a.example?rate=5&burst=2", r"unknown option 'burst': expected connections, rate"),
        ("a.example?connections=0", r"domain_limits\[1\]\.connections: expected a whole number"),
        ("a.example?rate=5 a.example?rate=6", r"domain_limits: a\.example is in it twice"),
    ],
)
def test_a_bad_limit_is_named_with_what_would_be_right(limits: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        config.parse_domain_limits(limits)
