"""The state of each lane: its due e-mails, since when, and if a sender works on it."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import lanes
from engine.campaigns import agenda, campaigns
from engine.delivery.claim import Claimant
from engine.lanes import Lane
from tests import sends, sequence
from tests.sequence import NOW

MINUTE = timedelta(minutes=1)


def state(session: Session, lane: str, *, minutes: float, **options: int) -> Lane:
    [lane_state] = [each for each in lanes.read(session, now=NOW + minutes * MINUTE, **options) if each.name == lane]
    return lane_state


def test_steps_that_no_sender_claims_make_the_lane_late_after_a_minute(session: Session) -> None:
    """A campaign's due e-mails have no rows, so a query of the e-mails alone finds nothing."""
    sequence.people(session, 5)
    campaigns.launch(session, sequence.create(session), now=NOW)
    assert not state(session, "campaign", minutes=0.9).is_late
    assert state(session, "campaign", minutes=2) == Lane("campaign", 5, NOW, None, is_late=True)
    assert state(session, "transactional", minutes=2) == Lane("transactional", 0, None, None, is_late=False)
    assert state(session, "campaign", minutes=2, most=3).due == 3
    assert not lanes.read(session, now=NOW + 2 * MINUTE, clock_rate=86_400)[1].is_late  # not two real minutes


def test_a_lane_on_which_a_sender_works_is_not_late(session: Session) -> None:
    sends.queue(session, 5, now=NOW)
    claimant = Claimant(sends.sender(session), "transactional", 60, is_connected=True)
    agenda.claim_queued(session, claimant, limit=2, now=NOW)
    assert state(session, "transactional", minutes=2) == Lane("transactional", 3, NOW, 0.0, is_late=False)
    session.execute(text("UPDATE send_groups SET started_at = now() - interval '2 minutes', leased_until = now()"))
    assert state(session, "transactional", minutes=2) == Lane("transactional", 3, NOW, 120.0, is_late=True)
    session.execute(text("UPDATE send_groups SET state = 'settled', ended_at = now() - interval '30 seconds'"))
    assert state(session, "transactional", minutes=2) == Lane("transactional", 3, NOW, 30.0, is_late=False)


def test_nothing_of_a_paused_campaign_is_due(session: Session) -> None:
    sequence.people(session, 2)
    campaign_id = sequence.create(session)
    campaigns.launch(session, campaign_id, now=NOW)
    sequence.send_due(session, sequence.DEFERRED, now=NOW)
    campaigns.pause(session, campaign_id, "a test", now=NOW)
    session.execute(text("UPDATE emails SET due_at = :now"), {"now": NOW})
    assert state(session, "campaign", minutes=2).due == 0
