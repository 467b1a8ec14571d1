"""What a reader asked for, seen from the inbox: mail that was queued or due before is drained into it, or is not."""

import email
from datetime import datetime, timedelta
from email import policy
from uuid import UUID

import pytest
from sqlalchemy import text

from engine.campaigns import campaigns, explain
from engine.delivery import audit
from engine.engagement import consent
from local.mail.mailstore import Mailstore
from models import ids
from models.session import transaction
from tests import orders, sequence
from tests.sequence import NOW
from worker import drain

LANES = ("transactional", "campaign")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def at(self, _: int, /) -> datetime:
        return self.moment

    def pass_by(self, span: timedelta, *, each: timedelta) -> None:
        """Let time pass, and drain both lanes at every step of it."""
        until = self.moment + span
        while self.moment < until:
            self.moment += each
            drain_both(self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def drain_both(clock: Clock) -> None:
    for lane in LANES:
        drain.drain(lane, time=clock)


def launched(prefix: str = "contacto") -> UUID:
    """The contact of a campaign whose first step is due."""
    with transaction() as session:
        (contact_id,) = sequence.people(session, 1, prefix=prefix)
        campaigns.launch(session, sequence.create(session), now=NOW)
    return contact_id


def queued(clock: Clock, to: str, **changes: object) -> UUID:
    """A single mail to this address, ordered now."""
    with transaction() as session:
        (email_id,) = orders.queue(session, now=clock.now(), to=to, **changes)
    return email_id


def mails() -> list[tuple[str, str, str | None, str]]:
    """Of every mail in the ledger, in the order of their acceptance: lane, status, reason, template."""
    query = text("SELECT lane, status, reason, template FROM emails ORDER BY accepted_at, lane")
    with transaction() as session:
        return [(row.lane, row.status, row.reason, row.template) for row in session.execute(query)]


def latest(back: int = 0) -> UUID:
    """The newest mail of the campaign, or one so many before it."""
    query = text("SELECT id FROM emails WHERE lane = 'campaign' ORDER BY accepted_at DESC OFFSET :back LIMIT 1")
    with transaction() as session:
        found = session.scalar(query, {"back": back})
    assert isinstance(found, UUID)
    return found


def arrived(inbox: Mailstore) -> list[UUID | None]:
    """The mails that arrived, in order."""
    parsed = [email.message_from_bytes(mail.raw, policy=policy.default) for mail in inbox.since(0)]
    return [ids.parse(str(message["Message-ID"])[1:33]) for message in parsed]


def sound() -> bool:
    with transaction() as session:
        return audit.read(session).findings == ()


def test_after_an_unsubscribe_nothing_that_was_queued_or_due_arrives(inbox: Mailstore, clock: Clock) -> None:
    contact_id = launched("ocupado")
    drain_both(clock)  # the mailbox is busy: step 1 is queued again
    queued(clock, "ocupado0@empresa.example")
    clock.moment += MINUTE
    with transaction() as session:
        consent.grant(session, consent.wish("unsubscribed", latest(), now=clock.now(), one_click=True))
    clock.pass_by(12 * DAY, each=DAY)
    assert arrived(inbox) == []
    assert sorted(mails()) == [
        ("campaign", "cancelled", "unsubscribed", "email_1_roi"),
        ("transactional", "cancelled", "unsubscribed", "email_1_roi"),
    ]
    with transaction() as session:
        (journey,) = explain.why(session, contact_id, now=clock.now())
    assert "unsubscribed" in journey.sentence and sound()


def test_after_a_suppression_alone_the_next_step_does_not_arrive(inbox: Mailstore, clock: Clock) -> None:
    contact_id = launched()
    drain_both(clock)
    queued(clock, "contacto0@empresa.example")
    suppress = "INSERT INTO suppressions (email_index, reason) SELECT email_index, 'unsubscribed' FROM contacts"
    with transaction() as session:
        session.execute(text(suppress))
    clock.pass_by(12 * DAY, each=DAY)
    assert len(arrived(inbox)) == 1
    assert sorted(mails())[1:] == [("transactional", "cancelled", "unsubscribed", "email_1_roi")]
    with transaction() as session:
        (journey,) = explain.why(session, contact_id, now=clock.now())
    assert (journey.stop_reason, sound()) == ("unsubscribed", True)


def test_a_pause_holds_marketing_mail_alone_and_the_sequence_goes_on_in_order(inbox: Mailstore, clock: Clock) -> None:
    launched()
    drain_both(clock)
    offer = queued(clock, "contacto0@empresa.example")
    receipt = queued(clock, "contacto0@empresa.example", kind="transactional")
    first = latest()
    with transaction() as session:
        consent.grant(session, consent.wish("paused", first, now=clock.now()))
    clock.pass_by(29 * DAY, each=DAY)
    assert arrived(inbox) == [first, receipt] and sound()
    clock.pass_by(9 * DAY, each=DAY)
    assert set(arrived(inbox)[2:4]) == {offer, latest(back=1)} and arrived(inbox)[4:] == [latest()]
    campaign = [(status, template) for lane, status, _, template in mails() if lane == "campaign"]
    assert campaign == [("sent", template) for template in sequence.TEMPLATES] and sound()


def test_a_mail_that_a_pause_held_has_all_its_tries_afterwards(inbox: Mailstore, clock: Clock) -> None:
    launched("ocupado")  # refused twice for a while
    drain_both(clock)
    with transaction() as session:
        consent.grant(session, consent.wish("paused", latest(), now=clock.now()))
    clock.pass_by(30 * DAY, each=3 * DAY)
    assert mails() == [("campaign", "queued", "deferred", "email_1_roi")]
    clock.pass_by(DAY, each=4 * HOUR)
    assert mails() == [("campaign", "sent", None, "email_1_roi")]
    assert len(arrived(inbox)) == 1 and sound()


def test_a_mail_that_a_pause_held_has_all_its_tries_when_it_is_taken_back(inbox: Mailstore, clock: Clock) -> None:
    launched("ocupado")
    drain_both(clock)
    with transaction() as session:
        consent.grant(session, consent.wish("paused", latest(), now=clock.now()))
    clock.pass_by(20 * DAY, each=4 * DAY)
    with transaction() as session:
        consent.grant(session, consent.wish("resumed", latest(), now=clock.now()))
    clock.pass_by(DAY, each=4 * HOUR)
    assert mails() == [("campaign", "sent", None, "email_1_roi")] and sound()
