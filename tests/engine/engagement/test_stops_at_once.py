"""A stop while a sender has locked the contact's e-mail: it does not wait, and the e-mail is not sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import agenda, campaigns
from engine.delivery import audit, early_events
from engine.delivery.claim import Claimant, Group
from engine.delivery.outcomes import Outcome
from engine.engagement import reactions
from engine.tracking.events import IncomingEvent
from models.session import transaction
from tests import sends, sequence
from tests.sequence import NOW

LATER = NOW + timedelta(minutes=1)
TOMORROW = NOW + timedelta(days=1)
STEPS = (("Otoño", sequence.SENT), ("Invierno", sequence.DEFERRED))
EVENTS = pytest.mark.parametrize("event", ["converted", "replied", "unsubscribed"])


class Undone(Exception):
    """Ends a sender's transaction."""


@contextmanager
def in_hand(lane: str) -> Iterator[Group]:
    """Lock the due e-mails of the lane as a sender whose transaction is rolled back at the end."""
    with pytest.raises(Undone), transaction() as session:
        yield claimed(session, lane)
        raise Undone


def claimed(session: Session, lane: str) -> Group:
    claimant = Claimant(sends.sender(session), lane, 60, is_connected=True)
    group = agenda.claim_queued(session, claimant, limit=10, now=NOW)
    assert group is not None
    return group


def happened(event: str, email_id: UUID) -> None:
    """Record and apply this event of the e-mail."""
    with transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '1s'"))
        early_events.record(session, [IncomingEvent(email_id, event, LATER)], now=LATER)
        assert reactions.apply(session, now=LATER) == 1


def launched(session: Session, name: str, outcome: Outcome) -> UUID:
    campaigns.launch(session, sequence.create(session, name, days=(0,)), now=NOW)
    (mail,) = sequence.send_due(session, outcome, now=NOW)
    return mail.email_id


def deferred_step() -> UUID:
    """Return a contact's sent e-mail of a finished campaign, and the queued, deferred one of another."""
    with transaction() as session:
        sequence.people(session, 1)
        first, _ = (launched(session, name, outcome) for name, outcome in STEPS)
        session.execute(text("UPDATE emails SET due_at = :now WHERE status = 'queued'"), {"now": NOW})
    return first


def sent_and_queued() -> UUID:
    """Return a contact's sent e-mail, and a queued single one."""
    with transaction() as session:
        (first,) = sends.queue(session, 1, now=NOW)
        sequence.record(session, [claimed(session, "transactional")], now=NOW)
        sends.queue(session, 1, now=NOW)
    return first


def ended(event: str, lane: str) -> bool:
    """Return True if the next claim cancels the queued e-mail because of the event."""
    with transaction() as session:
        email_id = session.scalar(text("SELECT id FROM emails WHERE status = 'queued'"))
        claimant = Claimant(sends.sender(session), lane, 60, is_connected=True)
        group = agenda.claim_queued(session, claimant, limit=10, now=TOMORROW)
        assert group is not None and not group.emails
    with transaction() as session:
        status = session.execute(text("SELECT status, reason FROM emails WHERE id = :id"), {"id": email_id}).one()
        assert audit.read(session).findings == ()
    return tuple(status) == ("cancelled", event)


@EVENTS
@pytest.mark.parametrize("lane", ["campaign", "transactional"])
def test_an_email_that_a_sender_had_locked_is_dropped_by_the_next_claim(ledger: str, event: str, lane: str) -> None:
    first = deferred_step() if lane == "campaign" else sent_and_queued()
    with in_hand(lane) as group:
        assert len(group.emails) == 1
        happened(event, first)
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM emails WHERE status = 'queued'")) == 1  # stepped over
    assert ended(event, lane)


@EVENTS
def test_a_claimed_single_email_that_is_deferred_is_not_tried_again(ledger: str, event: str) -> None:
    first = sent_and_queued()
    with transaction() as session:
        group = claimed(session, "transactional")
    happened(event, first)
    with transaction() as session:
        sequence.record(session, [group], sequence.DEFERRED, now=LATER)
    assert ended(event, "transactional")


@EVENTS
def test_an_email_requested_after_a_conversion_or_reply_is_sent(ledger: str, event: str) -> None:
    happened(event, sent_and_queued())
    with transaction() as session:
        sends.queue(session, 1, now=TOMORROW)
        claimant = Claimant(sends.sender(session), "transactional", 60, is_connected=True)
        group = agenda.claim_queued(session, claimant, limit=10, now=TOMORROW)
    assert group is not None and len(group.emails) == (event != "unsubscribed")
