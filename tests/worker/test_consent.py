"""Consent changes, checked at the inbox: of e-mails queued or due before, only the permitted ones are sent."""

import email
from datetime import datetime, timedelta
from email import policy
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from engine.campaigns import campaigns, explain
from engine.delivery import audit
from engine.engagement import consent
from local.mail.mailstore import Mailstore
from models import ids
from models.session import transaction
from tests import sends, sequence
from tests.sequence import NOW
from worker import drain

LANES = ("transactional", "campaign")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def at(self, _: int, /) -> datetime:
        return self.moment

    def advance(self, span: timedelta, *, step: timedelta) -> None:
        """Advance in steps, and drain both lanes after each."""
        until = self.moment + span
        while self.moment < until:
            self.moment += step
            drain_both(self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def drain_both(clock: Clock) -> None:
    for lane in LANES:
        drain.drain(lane, time=clock)


def launched(prefix: str = "contacto") -> UUID:
    """Launch a campaign whose first step is due, and return its contact."""
    with transaction() as session:
        (contact_id,) = sequence.people(session, 1, prefix=prefix)
        campaigns.launch(session, sequence.create(session), now=NOW)
    return contact_id


def queued(clock: Clock, to: str, **changes: Any) -> UUID:
    """Queue a single e-mail to this address."""
    with transaction() as session:
        (email_id,) = sends.queue(session, now=clock.now(), to=to, **changes)
    return email_id


def emails() -> list[tuple[str, str, str | None, str]]:
    """Return lane, status, reason and template of every e-mail, in the order of acceptance."""
    query = text("SELECT lane, status, reason, template FROM emails ORDER BY accepted_at, lane")
    with transaction() as session:
        return [(row.lane, row.status, row.reason, row.template) for row in session.execute(query)]


def latest(back: int = 0) -> UUID:
    """Return the id of the campaign's newest e-mail, or of one that many before it."""
    query = text("SELECT id FROM emails WHERE lane = 'campaign' ORDER BY accepted_at DESC OFFSET :back LIMIT 1")
    with transaction() as session:
        email_id = session.scalar(query, {"back": back})
    assert isinstance(email_id, UUID)
    return email_id


def arrived(inbox: Mailstore) -> list[UUID | None]:
    """Return the ids of the e-mails that arrived, in order."""
    parsed = [email.message_from_bytes(mail.raw, policy=policy.default) for mail in inbox.since(0)]
    return [ids.parse(str(message["Message-ID"])[1:33]) for message in parsed]


def is_consistent() -> bool:
    with transaction() as session:
        return audit.read(session).findings == ()


def test_after_an_unsubscribe_nothing_queued_or_due_is_sent(inbox: Mailstore, clock: Clock) -> None:
    contact_id = launched("ocupado")
    drain_both(clock)  # the mailbox is busy, so step 1 is queued again
    queued(clock, "ocupado0@empresa.example")
    clock.moment += MINUTE
    with transaction() as session:
        consent.apply(session, consent.change("unsubscribed", latest(), now=clock.now(), one_click=True))
    clock.advance(12 * DAY, step=DAY)
    assert arrived(inbox) == []
    assert sorted(emails()) == [
        ("campaign", "cancelled", "unsubscribed", "email_1_roi"),
        ("transactional", "cancelled", "unsubscribed", "email_1_roi"),
    ]
    with transaction() as session:
        (journey,) = explain.why(session, contact_id, now=clock.now())
    assert "unsubscribed" in journey.sentence and is_consistent()


def test_after_a_suppression_alone_the_next_step_is_not_sent(inbox: Mailstore, clock: Clock) -> None:
    contact_id = launched()
    drain_both(clock)
    queued(clock, "contacto0@empresa.example")
    suppress = "INSERT INTO suppressions (email_index, reason) SELECT email_index, 'unsubscribed' FROM contacts"
    with transaction() as session:
        session.execute(text(suppress))
    clock.advance(12 * DAY, step=DAY)
    assert len(arrived(inbox)) == 1
    assert sorted(emails())[1:] == [("transactional", "cancelled", "unsubscribed", "email_1_roi")]
    with transaction() as session:
        (journey,) = explain.why(session, contact_id, now=clock.now())
    assert (journey.stop_reason, is_consistent()) == ("unsubscribed", True)


def test_a_pause_delays_only_marketing_emails_and_keeps_the_order_of_the_sequence(
    inbox: Mailstore, clock: Clock
) -> None:
    launched()
    drain_both(clock)
    offer = queued(clock, "contacto0@empresa.example")
    receipt = queued(clock, "contacto0@empresa.example", kind="transactional")
    first = latest()
    with transaction() as session:
        consent.apply(session, consent.change("paused", first, now=clock.now()))
    clock.advance(29 * DAY, step=DAY)
    assert arrived(inbox) == [first, receipt] and is_consistent()
    clock.advance(9 * DAY, step=DAY)
    assert set(arrived(inbox)[2:4]) == {offer, latest(back=1)} and arrived(inbox)[4:] == [latest()]
    campaign = [(status, template) for lane, status, _, template in emails() if lane == "campaign"]
    assert campaign == [("sent", template) for template in sequence.TEMPLATES] and is_consistent()


def test_an_email_delayed_by_a_pause_has_its_full_time_for_retries(inbox: Mailstore, clock: Clock) -> None:
    launched("ocupado")  # deferred twice at first
    drain_both(clock)
    with transaction() as session:
        consent.apply(session, consent.change("paused", latest(), now=clock.now()))
    clock.advance(30 * DAY, step=3 * DAY)
    assert emails() == [("campaign", "queued", "deferred", "email_1_roi")]
    clock.advance(DAY, step=4 * HOUR)
    assert emails() == [("campaign", "sent", None, "email_1_roi")]
    assert len(arrived(inbox)) == 1 and is_consistent()


def test_an_email_delayed_by_a_pause_has_its_full_time_for_retries_when_the_pause_is_undone(
    inbox: Mailstore, clock: Clock
) -> None:
    launched("ocupado")
    drain_both(clock)
    with transaction() as session:
        consent.apply(session, consent.change("paused", latest(), now=clock.now()))
    clock.advance(20 * DAY, step=4 * DAY)
    with transaction() as session:
        consent.apply(session, consent.change("resumed", latest(), now=clock.now()))
    clock.advance(DAY, step=4 * HOUR)
    assert emails() == [("campaign", "sent", None, "email_1_roi")] and is_consistent()
