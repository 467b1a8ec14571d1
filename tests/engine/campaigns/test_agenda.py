"""Claims of a lane in turn, and the decision that both kinds of claims share."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import upkeep
from engine.audience import suppressions
from engine.campaigns import agenda, campaigns, due, enrollments
from engine.campaigns.agenda import Agenda
from engine.delivery import audit, in_doubt, outbox, senders
from engine.delivery.claim import Claimant
from models.session import transaction
from tests import sends, sequence
from tests.sequence import NOW

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFFICE_HOURS: dict[str, Any] = {"window_start_min": 9 * 60, "window_end_min": 17 * 60}


def _launched(session: Session, name: str = "Otoño", *, count: int = 1, **options: Any) -> UUID:
    sequence.people(session, count)
    campaign_id = sequence.create(session, name, **options)
    campaigns.launch(session, campaign_id, now=NOW)
    return campaign_id


def _claimant(session: Session) -> Claimant:
    return Claimant(senders.register(session, "testhost", 1), agenda.CAMPAIGN_LANE, 60, is_connected=True)


def _state(session: Session, campaign_id: UUID) -> tuple[object, ...]:
    query = text("SELECT state, stop_reason FROM enrollments WHERE campaign_id = :id")
    return tuple(session.execute(query, {"id": campaign_id}).one())


def test_an_email_deferred_before_its_window_closes_is_tried_when_it_opens(session: Session) -> None:
    _launched(session, **OFFICE_HOURS)
    closes = NOW + 8 * HOUR
    sequence.send_due(session, sequence.DEFERRED, now=closes - 2 * MINUTE)
    for late in (5 * MINUTE, 80 * MINUTE, 6 * HOUR):
        assert sequence.take(session, now=closes + late) == []
        assert upkeep.bells(session, now=closes + late) == []  # nothing rings for it
    assert session.execute(text("SELECT due_at, reason FROM emails")).one() == (NOW + DAY, "window")
    (again,) = sequence.send_due(session, now=NOW + DAY)
    assert (again.status, again.reason) == ("sent", None)


def test_an_email_sent_again_after_doubt_waits_for_its_window(session: Session) -> None:
    _launched(session, **OFFICE_HOURS)
    (mail,) = sequence.send_due(session, sequence.IN_DOUBT, now=NOW)
    assert in_doubt.resend(session, [mail.email_id], now=NOW + 9 * HOUR) == 1
    assert sequence.take(session, now=NOW + 9 * HOUR) == []
    assert len(sequence.send_due(session, now=NOW + DAY)) == 1


def test_an_email_of_a_resumed_campaign_waits_for_its_window(session: Session) -> None:
    campaign_id = _launched(session, **OFFICE_HOURS)
    sequence.send_due(session, sequence.DEFERRED, now=NOW)
    campaigns.pause(session, campaign_id, "lunch", now=NOW)
    assert sequence.take(session, now=NOW + HOUR) == []
    campaigns.resume(session, campaign_id, now=NOW + 9 * HOUR)
    assert sequence.take(session, now=NOW + 9 * HOUR) == []
    assert len(sequence.send_due(session, now=NOW + DAY)) == 1


def test_a_batch_queued_now_does_not_go_before_steps_that_are_due_for_an_hour(session: Session) -> None:
    _launched(session, count=4)
    sends.queue(session, 4, now=NOW + HOUR, lane="campaign")
    groups = sequence.take(session, now=NOW + HOUR, limit=2)
    assert [group.step is not None for group in groups] == [True, False, True, False]


def test_a_batch_that_waits_longer_than_the_steps_goes_first(session: Session) -> None:
    sends.queue(session, 2, now=NOW - HOUR, lane="campaign")
    _launched(session, count=2)
    assert [group.step is not None for group in sequence.take(session, now=NOW, limit=2)][:2] == [False, True]


def test_an_email_that_is_dropped_late_stops_no_enrollment_made_after_the_cause(session: Session) -> None:
    (email_id,) = sends.queue(session, 1, now=NOW, lane="campaign")
    contact_id = outbox.details(session, email_id).contact_id
    session.execute(text("UPDATE emails SET replied_at = :at"), {"at": NOW + MINUTE})
    session.execute(text("UPDATE contacts SET email_followup_status = 'replied'"))
    campaign_id = sequence.create(session, days=(1,))
    enrollments.enroll(session, campaign_id, contact_ids=[contact_id], now=NOW + HOUR)
    campaigns.launch(session, campaign_id, now=NOW + HOUR)
    assert sequence.take(session, now=NOW + 2 * HOUR) == []
    details = outbox.details(session, email_id)
    assert (details.status, details.reason) == ("cancelled", "replied")
    assert _state(session, campaign_id) == ("active", None)


def test_a_queued_email_of_a_suppressed_contact_stops_its_own_enrollment(session: Session) -> None:
    campaign_id = _launched(session)
    sequence.send_due(session, sequence.DEFERRED, now=NOW)
    suppressions.add(session, sequence.people(session, 1), "manual", now=NOW)
    assert sequence.take(session, now=NOW + HOUR) == []
    assert session.execute(text("SELECT status, reason FROM emails")).one() == ("cancelled", "suppressed")
    assert _state(session, campaign_id) == ("stopped", "suppressed")
    assert audit.read(session).findings == ()


def test_two_senders_whose_first_steps_are_barred_do_not_wait_for_each_other(ledger: str) -> None:
    with transaction() as session:
        barred = sequence.people(session, 2)
        for name in ("Otoño", "Invierno"):
            _launched(session, name, count=2)
        suppressions.add(session, barred, "manual", now=NOW)
    with transaction() as one, transaction() as other:
        for session, turn in ((one, 1), (other, -1)):
            session.execute(text("SET LOCAL lock_timeout = '2s'"))
            turns = Agenda([step for _, step in due.due_steps(session, now=NOW)][::turn])
            group = turns.claim(session, _claimant(session), limit=10, now=NOW)
            assert group is not None and not group.emails  # its caller commits before it asks again
    with transaction() as session:
        assert set(session.scalars(text("SELECT stop_reason FROM enrollments"))) == {"suppressed"}
