"""A stop that comes while a sender has the contact's mail locked: it waits for nobody, and the mail goes no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns
from engine.delivery import audit, claim, early_events
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
    """What ends a sender's transaction."""


@contextmanager
def in_hand(lane: str) -> Iterator[Group]:
    """What is due in the lane, locked by a sender whose transaction is undone at the end."""
    with pytest.raises(Undone), transaction() as session:
        yield claimed(session, lane)
        raise Undone


def claimed(session: Session, lane: str) -> Group:
    claimant = Claimant(sends.sender(session), lane, 60, is_connected=True)
    group = claim.claim(session, claimant, limit=10, now=NOW)
    assert group is not None
    return group


def happened(event: str, email_id: UUID) -> None:
    """The contact did this after the mail of that id, and it is applied."""
    with transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '1s'"))
        early_events.record(session, [IncomingEvent(email_id, event, LATER)], now=LATER)
        assert reactions.apply(session, now=LATER) == 1


def launched(session: Session, name: str, outcome: Outcome) -> UUID:
    campaigns.launch(session, sequence.create(session, name, days=(0,)), now=NOW)
    (mail,) = sequence.send_due(session, outcome, now=NOW)
    return mail.email_id


def deferred_step() -> UUID:
    """The contact's first mail, of a campaign that is over; and the queued one of another, which was refused once."""
    with transaction() as session:
        sequence.people(session, 1)
        first, _ = (launched(session, name, outcome) for name, outcome in STEPS)
        session.execute(text("UPDATE emails SET due_at = :now WHERE status = 'queued'"), {"now": NOW})
    return first


def sent_and_queued() -> UUID:
    """The contact's first mail, which was sent; and a queued single one."""
    with transaction() as session:
        (first,) = sends.queue(session, 1, now=NOW)
        sequence.record(session, [claimed(session, "transactional")], now=NOW)
        sends.queue(session, 1, now=NOW)
    return first


def ended(event: str, lane: str) -> bool:
    """Whether the next claim drops the mail for what the contact did."""
    with transaction() as session:
        claimant = Claimant(sends.sender(session), lane, 60, is_connected=True)
        group = claim.claim(session, claimant, limit=10, now=TOMORROW)
        assert group is not None and not group.emails
        (mail,) = group.dropped
    with transaction() as session:
        status = session.execute(text("SELECT status, reason FROM emails WHERE id = :id"), {"id": mail.email_id}).one()
        assert audit.read(session).findings == ()
    return tuple(status) == ("cancelled", event)


@EVENTS
@pytest.mark.parametrize("lane", ["campaign", "transactional"])
def test_a_mail_that_a_sender_had_locked_is_dropped_by_the_next_claim(ledger: str, event: str, lane: str) -> None:
    first = deferred_step() if lane == "campaign" else sent_and_queued()
    with in_hand(lane) as group:
        assert len(group.emails) == 1
        happened(event, first)
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM emails WHERE status = 'queued'")) == 1  # stepped over
    assert ended(event, lane)


@EVENTS
def test_a_single_mail_in_hand_that_is_refused_for_a_while_is_not_tried_again(ledger: str, event: str) -> None:
    first = sent_and_queued()
    with transaction() as session:
        group = claimed(session, "transactional")
    happened(event, first)
    with transaction() as session:
        sequence.record(session, [group], sequence.DEFERRED, now=LATER)
    assert ended(event, "transactional")


@EVENTS
def test_a_mail_ordered_after_a_conversion_or_reply_goes_out(ledger: str, event: str) -> None:
    happened(event, sent_and_queued())
    with transaction() as session:
        sends.queue(session, 1, now=TOMORROW)
        claimant = Claimant(sends.sender(session), "transactional", 60, is_connected=True)
        group = claim.claim(session, claimant, limit=10, now=TOMORROW)
    assert group is not None and len(group.emails) == (event != "unsubscribed")
