"""Early events: a reader may open an e-mail of a campaign before its group is settled."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import campaigns
from engine.delivery import audit, early_events, outbox, outcomes, recovery
from engine.delivery.claim import Group
from engine.delivery.outcomes import Paced, Phase, Rejected
from engine.delivery.recorder import Mark, Recording, Slot
from engine.engagement import consent, reactions
from engine.tracking.events import IncomingEvent
from errors import NotFound
from models import ids
from models.session import transaction
from tests import sequence
from tests.sequence import NOW

SOON = NOW + timedelta(seconds=1)


def claimed_group(session: Session, count: int = 1) -> Group:
    """Return a claimed group of the first step, with a sender."""
    sequence.people(session, count)
    campaigns.launch(session, sequence.create(session, days=(0, 3)), now=NOW)
    (group,) = sequence.take(session, now=NOW)
    return group


def row(session: Session, email_id: UUID) -> tuple[object, ...]:
    query = text("SELECT status, opened_at, claim FROM emails WHERE id = :id")
    return tuple(session.execute(query, {"id": email_id}).one())


def test_an_open_before_the_settlement_is_held_and_counts_after_it(session: Session) -> None:
    group = claimed_group(session, 2)
    first, second = (email.email_id for email in group.emails)
    assert early_events.record(session, [IncomingEvent(first, "opened", SOON)], now=SOON) == [True]
    assert early_events.record(session, [IncomingEvent(first, "opened", SOON)], now=SOON) == [False]
    assert row(session, first) == ("sending", None, group.id)
    reactions.apply(session, now=SOON)
    assert row(session, first)[1] is None
    sequence.record(session, [group], now=SOON)
    reactions.apply(session, now=SOON)
    assert row(session, first) == ("sent", SOON, None)
    assert row(session, second) == ("sent", None, None)
    assert session.scalar(text("SELECT count(*) FROM contacts WHERE email_1_opened")) == 1
    assert audit.read(session).findings == ()


def test_an_event_of_an_email_that_nobody_has_claimed_is_refused(session: Session) -> None:
    group = claimed_group(session)
    (email,) = group.emails
    assert email.enrollment_id is not None
    for stranger in (ids.of_step(email.enrollment_id, 2), ids.new()):
        with pytest.raises(NotFound):
            early_events.record(session, [IncomingEvent(stranger, "opened", SOON)], now=SOON)
    assert session.scalar(text("SELECT count(*) FROM emails")) == 0


def test_an_unsubscribe_before_the_settlement_takes_effect_at_once(session: Session) -> None:
    group = claimed_group(session)
    (email,) = group.emails
    consent.apply(session, consent.change("unsubscribed", email.email_id, now=SOON, one_click=True))
    assert suppressions.suppressed(session, [email.contact_id]) == {email.contact_id: "unsubscribed"}
    sequence.record(session, [group], now=SOON)
    reactions.apply(session, now=SOON)
    assert session.execute(text("SELECT state, stop_reason FROM enrollments")).one() == ("stopped", "unsubscribed")
    assert row(session, email.email_id)[0] == "sent"
    assert sequence.take(session, now=NOW + timedelta(days=9)) == []
    assert audit.read(session).findings == ()


def test_an_email_that_is_returned_after_an_early_event_keeps_its_row(session: Session) -> None:
    group = claimed_group(session)
    (email,) = group.emails
    early_events.record(session, [IncomingEvent(email.email_id, "opened", SOON)], now=SOON)
    sequence.record(session, [group], sequence.GIVEN_BACK, now=SOON)
    assert row(session, email.email_id) == ("queued", None, None)
    assert session.scalar(text("SELECT state FROM enrollments")) == "waiting"
    assert audit.read(session).findings == ()
    (sent,) = sequence.send_due(session, now=SOON)
    assert (sent.email_id, sent.status) == (email.email_id, "sent")
    assert audit.read(session).findings == ()


def test_an_email_delayed_by_a_limit_is_due_at_its_turn_despite_an_early_event(
    session: Session,
) -> None:
    group = claimed_group(session)
    (email,) = group.emails
    early_events.record(session, [IncomingEvent(email.email_id, "opened", SOON)], now=SOON)
    sequence.record(session, [group], Paced(90.0), now=SOON)
    due = session.execute(text("SELECT status, due_at FROM emails")).one()
    assert tuple(due) == ("queued", SOON + timedelta(seconds=90))


def test_an_event_during_the_settlement_is_neither_lost_nor_held(ledger: str) -> None:
    with transaction() as session:
        group = claimed_group(session)
    (email,) = group.emails
    recorded = threading.Event()

    def record() -> None:
        with transaction() as other:
            early_events.record(other, [IncomingEvent(email.email_id, "opened", SOON)], now=SOON)
        recorded.set()

    with transaction() as session:
        sequence.record(session, [group], now=SOON)
        thread = threading.Thread(target=record)
        thread.start()
        assert not recorded.wait(0.3)  # it waits for the settlement to be committed
    thread.join()
    with transaction() as session:
        reactions.apply(session, now=SOON)
        assert row(session, email.email_id) == ("sent", SOON, None)
        assert session.scalar(text("SELECT count(*) FROM emails")) == 1


def test_a_dead_senders_group_is_sorted_by_its_recorder_without_rows(session: Session) -> None:
    group = claimed_group(session, 4)
    sent, refused, doubtful, untouched = (email.email_id for email in group.emails)
    replied = int(SOON.timestamp() * 1000)
    no_such_user = outcomes.to_byte(Rejected(Phase.RCPT, 550, "5.1.1", "", dead_address=True))
    slots = {
        sent: Slot(Mark.ANSWERED, outcomes.SENT, 250, b"250 2.0.0 queued", replied),
        refused: Slot(Mark.ANSWERED, no_such_user, 550, b"550 5.1.1 no such user", replied),
        doubtful: Slot(Mark.COMPLETE, 0, 0, b"", 0),
        untouched: Slot(Mark.NOTHING, 0, 0, b"", 0),
    }
    sender = session.scalar(text("SELECT sender_id FROM send_groups"))
    assert isinstance(sender, UUID)
    settled = recovery.recover(
        session,
        sender,
        Recording(sender, group.id, slots),
        now=NOW,
        moment=lambda ms: datetime.fromtimestamp(ms / 1000, UTC),
    )
    assert {mail.email_id: (mail.status, mail.has_row) for mail in settled} == {
        sent: ("sent", True),
        refused: ("failed", True),
        doubtful: ("in_doubt", True),
        untouched: ("queued", False),
    }
    assert outbox.details(session, sent).sent_at == SOON
    assert session.scalar(text("SELECT count(*) FROM emails")) == 3
    assert session.execute(text("SELECT state, given_back, in_doubt FROM send_groups")).one() == ("recovered", 1, 1)


@pytest.mark.parametrize(("started", "status"), [(True, "in_doubt"), (False, "queued")])
def test_without_a_recorder_only_what_was_started_is_in_doubt(session: Session, started: bool, status: str) -> None:
    claimed_group(session, 3)
    session.execute(text("UPDATE send_groups SET is_started = :started"), {"started": started})
    sender = session.scalar(text("SELECT sender_id FROM send_groups"))
    assert isinstance(sender, UUID)
    settled = recovery.recover(session, sender, None, now=NOW, moment=lambda _: NOW)
    assert [mail.status for mail in settled] == [status] * 3
