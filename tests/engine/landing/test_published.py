"""Published pages: the greeting of a reader by the e-mail that led there, also before its row exists."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns
from engine.delivery import early_events
from engine.landing import published
from models import ids
from tests import sequence
from tests.sequence import NOW


@pytest.fixture
def in_flight(session: Session) -> UUID:
    """The id of a campaign's e-mail that a sender has claimed: it has no row yet."""
    sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session, days=(0, 3)), now=NOW)
    (group,) = sequence.take(session, now=NOW)
    session.execute(text("UPDATE contacts SET first_name = 'Ana'"))
    assert session.scalar(text("SELECT count(*) FROM emails")) == 0
    return group.emails[0].email_id


def test_a_reader_is_greeted_before_the_email_is_settled(session: Session, in_flight: UUID) -> None:
    assert published.first_name(session, in_flight, now=NOW + timedelta(seconds=1)) == "Ana"
    later = ids.of_step(ids.enrollment_of(in_flight), 2)
    for other in (later, ids.enrollment_of(in_flight), ids.new()):
        assert published.first_name(session, other, now=NOW + timedelta(seconds=1)) == ""


def test_the_first_event_of_an_email_in_flight_ends_no_greeting(session: Session, in_flight: UUID) -> None:
    early_events.admit(session, [in_flight], now=NOW)
    assert published.first_name(session, in_flight, now=NOW + timedelta(seconds=1)) == "Ana"
    session.execute(text("UPDATE contacts SET erased_at = :now"), {"now": NOW})
    assert published.first_name(session, in_flight, now=NOW + timedelta(seconds=1)) == ""


def test_nobody_is_greeted_by_an_email_that_was_never_sent_or_long_ago(session: Session, in_flight: UUID) -> None:
    early_events.admit(session, [in_flight], now=NOW)
    assert published.first_name(session, in_flight, now=NOW + timedelta(days=31)) == ""
    session.execute(text("UPDATE emails SET status = 'cancelled', claim = NULL"))
    assert published.first_name(session, in_flight, now=NOW + timedelta(seconds=1)) == ""
