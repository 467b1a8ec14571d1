"""Limits by recipient domain: what comes too early stays behind, with the time of its turn."""

import time
from itertools import pairwise

import pytest

from engine.delivery.outcomes import Paced
from engine.delivery.pace import domains
from engine.delivery.pace.domains import Domains
from engine.delivery.pace.shared import Member, Shared
from engine.delivery.pace.store import Store
from engine.delivery.pace.timeline import Rate
from errors import InvalidInput
from models import ids
from tests.engine.delivery.senders_side import letter


def limited(url: str, per_s: float = 2.0) -> Domains:
    shared = Shared(Store(url), f"domain:{ids.new().hex}", Rate(per_s, burst_s=1.0), Member("x", 4))
    return Domains({"gmail.com": shared, "googlemail.com": shared})


def test_the_rate_holds_for_the_domain_and_others_pass(broker: str) -> None:
    """At 2/s with a second's burst three go at once; the others half a second apart, at their turn."""
    batch = [letter(slot, f"a{slot}@{'gmail.com' if slot % 2 else 'empresa.example'}") for slot in range(20)]
    gate = limited(broker).gate(batch, is_urgent=False)
    passed = [one.slot for one in gate]
    behind = gate.postponed()
    assert passed == [0, 1, 2, 3, 4, 5, *range(6, 20, 2)]
    assert sorted([*passed, *behind]) == list(range(20))
    waits = [paced.wait_s for _, paced in sorted(behind.items())]
    assert all(later - sooner == pytest.approx(0.5, abs=0.01) for sooner, later in pairwise(waits))
    assert 0 < waits[0] <= 1.0


def test_the_next_group_lines_up_behind_the_first(broker: str) -> None:
    limits = limited(broker)
    batch = [letter(slot, f"A{slot}@GMail.com") for slot in range(13)]
    first, second = (limits.gate(batch, is_urgent=False) for _ in range(2))
    assert (len(list(first)), len(first.postponed())) == (3, 10)
    assert len(list(second)) == 0
    assert min(paced.wait_s for paced in second.postponed().values()) > 4.5


def test_domains_of_one_limit_share_it(broker: str) -> None:
    batch = [letter(slot, f"a{slot}@{('gmail.com', 'googlemail.com')[slot % 2]}") for slot in range(8)]
    assert len(list(limited(broker).gate(batch, is_urgent=False))) == 3


def test_a_message_goes_when_its_turn_has_come(broker: str) -> None:
    limits, batch = limited(broker, 5.0), [letter(slot, f"a{slot}@gmail.com") for slot in range(8)]
    gate = limits.gate(batch, is_urgent=False)
    passed = {one.slot for one in gate}
    paced = gate.postponed()
    time.sleep(max(paced.values(), key=lambda one: one.wait_s).wait_s)
    again = [one for one in batch if one.slot not in passed]
    assert len(list(limits.gate(again, is_urgent=False))) == len(paced) > 0


def test_urgent_mail_stands_in_no_line(broker: str) -> None:
    limits, batch = limited(broker), [letter(slot, f"a{slot}@gmail.com") for slot in range(30)]
    gate = limits.gate(batch, is_urgent=False)
    list(gate), gate.postponed()
    assert len(list(limits.gate(batch[:5], is_urgent=True))) == 5
    late = limits.gate(batch, is_urgent=True)
    assert len(list(late)) < 30
    assert all(isinstance(paced, Paced) and paced.wait_s < 5 for paced in late.postponed().values())


def test_limits_are_read_with_their_units() -> None:
    gmail, orange = domains.read("Gmail.com,googlemail.com?rate=20/s  orange.fr?rate=90/m")
    assert (gmail.names, gmail.rate.per_s) == (("gmail.com", "googlemail.com"), 20.0)
    assert (orange.names, orange.rate.per_s) == (("orange.fr",), 1.5)
    assert domains.read("") == []


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ("gmail.com", r"domain_limits\[1\]\.rate: is missing"),
        ("a.example?rate=1 gmail?rate=2", r"domain_limits\[2\]: expected domains and a rate"),
        ("a.example?rate=0", r"domain_limits\[1\]\.rate: expected messages a second"),
        ("a.example?rate=5/d", r"domain_limits\[1\]\.rate: expected messages a second"),
        ("a.example?rate=5&burst=2", r"unknown option 'burst': expected rate"),
        ("a.example?rate=5 a.example?rate=6", r"domain_limits: a\.example is in it twice"),
    ],
)
def test_a_bad_limit_is_named_with_what_would_be_right(limits: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        domains.read(limits)
