"""Upkeep rings for waiting work, ends doubt by the lane's setting, and deletes old rows (rules R4, R11)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import upkeep
from engine.campaigns import agenda
from engine.delivery import early_events, in_doubt, recovery
from engine.delivery.claim import Claimant
from engine.engagement import reactions
from engine.tracking.events import IncomingEvent
from models import ids
from models.session import transaction
from tests import sends
from tests.conftest import environment
from tests.sends import NOW


def doubted(session: Session, lane: str = "transactional", *, minutes_ago: int = 20) -> UUID:
    """Return an e-mail of this lane in doubt for that long, by the database's clock."""
    [email_id] = sends.queue(session, lane=lane)
    sender = sends.sender(session)
    agenda.claim_queued(session, Claimant(sender, lane, 60, is_connected=True), limit=1, now=NOW)
    recovery.recover(session, sender, None, now=NOW, moment=lambda _: NOW)
    age(session, "UPDATE send_groups SET ended_at = now() - make_interval(mins => :units)", minutes_ago)
    return email_id


def age(session: Session, statement: str, units: int) -> None:
    session.execute(text(statement), {"units": units})


def count(session: Session, table: str) -> Any:
    return session.scalar(text(f"SELECT count(*) FROM {table}"))  # a name of ours


def test_no_bell_rings_when_nothing_waits(session: Session) -> None:
    sends.queue(session, now=NOW + timedelta(seconds=1))
    assert upkeep.bells(session, now=NOW) == []


def test_the_bell_of_a_lane_rings_when_an_email_of_it_is_due(session: Session) -> None:
    sends.queue(session, lane="campaign")
    assert upkeep.bells(session, now=NOW) == ["campaign"]
    sends.queue(session, lane="transactional")
    assert sorted(upkeep.bells(session, now=NOW)) == ["campaign", "transactional"]


def test_the_bell_rings_for_an_email_of_any_age(session: Session) -> None:
    sends.queue(session)
    assert upkeep.bells(session, now=NOW + timedelta(days=3_650)) == ["transactional"]


def test_the_bell_rings_for_events_until_they_are_applied(session: Session) -> None:
    [email_id] = sends.queue(session, now=NOW + timedelta(days=1))
    early_events.record(session, [IncomingEvent(email_id, "converted", NOW)], now=NOW)
    assert upkeep.bells(session, now=NOW) == ["events"]
    reactions.apply(session, now=NOW)
    assert upkeep.bells(session, now=NOW) == []


def test_a_held_event_rings_no_bell(session: Session) -> None:
    [email_id] = sends.queue(session, now=NOW + timedelta(days=1))
    early_events.record(session, [IncomingEvent(email_id, "opened", NOW)], now=NOW)
    assert upkeep.bells(session, now=NOW) == []


@pytest.mark.parametrize(("lane", "status"), [("transactional", "queued"), ("campaign", "in_doubt")])
def test_doubt_past_its_time_ends_as_its_lane_says(session: Session, lane: str, status: str) -> None:
    email_id = doubted(session, lane)
    upkeep.settle_doubts(session, now=NOW)
    assert sends.statuses(session, [email_id]) == [status]


def test_a_campaign_sends_again_when_the_setting_says_so(ledger: str) -> None:
    with environment(IN_DOUBT_CAMPAIGN="resend", IN_DOUBT_TRANSACTIONAL="hold"), transaction() as session:
        campaign, single = doubted(session, "campaign"), doubted(session)
        assert upkeep.settle_doubts(session, now=NOW) == 1
        assert sends.statuses(session, [campaign, single]) == ["queued", "in_doubt"]


def test_doubt_within_its_time_waits_for_evidence(session: Session) -> None:
    email_id = doubted(session, minutes_ago=14)
    assert upkeep.settle_doubts(session, now=NOW) == 0
    assert sends.statuses(session, [email_id]) == ["in_doubt"]


def test_an_email_in_doubt_is_sent_again_three_times_and_then_held(session: Session) -> None:
    email_id = doubted(session)
    session.execute(text("UPDATE emails SET attempts = :most"), {"most": in_doubt.MAX_RESENDS})
    assert upkeep.settle_doubts(session, now=NOW) == 1
    session.execute(text("UPDATE emails SET status = 'in_doubt', claim = (SELECT id FROM send_groups)"))
    session.execute(text("UPDATE emails SET attempts = :more"), {"more": in_doubt.MAX_RESENDS + 1})
    assert upkeep.settle_doubts(session, now=NOW) == 0
    assert sends.statuses(session, [email_id]) == ["in_doubt"]


def test_tidy_deletes_expired_revocations_only(session: Session) -> None:
    for days in (-1, 1):
        session.execute(
            text("INSERT INTO revoked_tokens (id, expires_at) VALUES (:id, now() + make_interval(days => :days))"),
            {"id": ids.new(), "days": days},
        )
    upkeep.tidy(session)
    assert count(session, "revoked_tokens") == 1


def test_tidy_deletes_groups_after_a_week_except_those_of_emails_in_doubt(session: Session) -> None:
    email_id = doubted(session)
    age(session, "UPDATE send_groups SET ended_at = now() - make_interval(days => :units)", 8)
    age(session, "UPDATE senders SET fenced_at = now() - make_interval(days => :units)", 8)
    upkeep.tidy(session)
    assert (count(session, "send_groups"), count(session, "senders")) == (1, 1)
    in_doubt.prove(session, [email_id], now=NOW)
    upkeep.tidy(session)
    assert (count(session, "send_groups"), count(session, "senders")) == (0, 0)
    assert count(session, "emails") == 1
