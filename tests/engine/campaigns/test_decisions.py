"""The decision on a due e-mail or step, as a table."""

from datetime import timedelta
from uuid import uuid4

import pytest

from engine.campaigns.decisions import SEND, Decision, Facts, Later, Skip, Stop, decide
from engine.campaigns.steps import Step
from engine.campaigns.windows import Window
from engine.delivery.emails import PARKED
from tests.sequence import NOW as MONDAY_9

HOUR = timedelta(hours=1)
STEP = Step(uuid4(), 1, "email_1_roi", "Hola", 0, Window(9 * 60, 17 * 60, frozenset({1, 2, 3, 4, 5})), "UTC")
OPEN, CLOSED = MONDAY_9 + HOUR, MONDAY_9 + 8 * HOUR
OPENS = MONDAY_9 + 24 * HOUR


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        (Facts(), SEND),
        (Facts(campaign_state="running"), SEND),
        (Facts(campaign_state="finished"), SEND),  # an e-mail that was queued before
        (Facts(campaign_state="paused"), Later(PARKED, "campaign_paused")),
        (Facts(campaign_state="draft"), Later(PARKED, "campaign_paused")),
        (Facts(paused_until=OPEN + HOUR), Later(OPEN + HOUR, "paused")),
        (Facts(paused_until=OPEN), SEND),
        (Facts(converted=True), Stop("converted")),
        (Facts(converted=True, is_enrolled=False), Skip("converted")),
        (Facts(replied=True, is_enrolled=False), Skip("replied")),
        (Facts(suppression="hard_bounce"), Stop("bounced")),
        (Facts(suppression="complaint", is_enrolled=False), Skip("complained")),
        (Facts(suppression="manual"), Stop("suppressed")),
        (Facts(stopped="replied"), Stop("replied")),
        (Facts(stopped="replied", suppression="unsubscribed"), Stop("unsubscribed")),
        (Facts(converted=True, campaign_state="paused", paused_until=OPEN + HOUR), Stop("converted")),
        (Facts(campaign_state="paused", paused_until=OPEN + HOUR), Later(PARKED, "campaign_paused")),
    ],
)
def test_an_end_comes_before_a_wait_and_a_wait_before_sending(facts: Facts, decision: Decision) -> None:
    assert decide(facts, STEP, OPEN) == decision


@pytest.mark.parametrize(
    ("suppression", "decision"),
    [
        (None, SEND),
        ("unsubscribed", SEND),
        ("manual", SEND),
        ("hard_bounce", Skip("bounced")),
        ("complaint", Skip("complained")),
    ],
)
def test_a_transactional_email_obeys_only_a_dead_address_and_a_complaint(
    suppression: str | None, decision: Decision
) -> None:
    facts = Facts(
        suppression, converted=True, replied=True, paused_until=OPENS, is_enrolled=False, kind="transactional"
    )
    assert decide(facts, None, OPEN) == decision


def test_a_closed_window_waits_for_its_opening_and_no_step_has_no_window() -> None:
    assert decide(Facts(), STEP, CLOSED) == Later(OPENS, "window")
    assert decide(Facts(is_enrolled=False), None, CLOSED) == SEND


def test_the_end_of_a_pause_is_decided_again_when_it_comes() -> None:
    pause_ends = CLOSED + HOUR
    assert decide(Facts(paused_until=pause_ends), STEP, CLOSED) == Later(pause_ends, "paused")
    assert decide(Facts(paused_until=pause_ends), STEP, pause_ends) == Later(OPENS, "window")
