"""Transactions that cross: enrolling and finishing, claiming and resuming, events and giving back."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import advance, agenda, campaigns, enrollments
from engine.delivery import audit, early_events, senders, settle
from engine.delivery.claim import Claimant, Group
from engine.delivery.emails import PARKED
from engine.delivery.settle import OpenGroup
from models.session import transaction
from tests import sequence
from tests.crossing import crossing
from tests.sequence import NOW

LATER = NOW + timedelta(days=1)


def _one(query: str) -> object:
    with transaction() as session:
        return session.execute(text(query)).one()


def _launched(count: int = 1) -> UUID:
    with transaction() as session:
        sequence.people(session, count)
        campaign_id = sequence.create(session, days=(0,))
        campaigns.launch(session, campaign_id, now=NOW)
    return campaign_id


def _paused_with_a_deferred_email() -> UUID:
    campaign_id = _launched()
    with transaction() as session:
        sequence.send_due(session, sequence.DEFERRED, now=NOW)
        campaigns.pause(session, campaign_id, "lunch", now=NOW)
    return campaign_id


def _claimed(session: Session, limit: int = 10) -> Group:
    claimant = Claimant(senders.register(session, "testhost", 1), agenda.CAMPAIGN_LANE, 60, is_connected=True)
    group = agenda.read(session, agenda.CAMPAIGN_LANE, now=NOW).claim(session, claimant, limit=limit, now=NOW)
    assert group is not None
    return group


def test_a_campaign_does_not_finish_while_contacts_are_enrolled(ledger: str) -> None:
    campaign_id = _launched()
    with transaction() as session:
        sequence.send_due(session, now=NOW)
        late = sequence.people(session, 1, prefix="tarde")
    with transaction() as enrolling:
        enrollments.enroll(enrolling, campaign_id, contact_ids=late, now=NOW)
        with transaction() as finishing:
            assert campaigns.finish(finishing, now=NOW) == []
    assert _one("SELECT state FROM campaigns") == ("running",)
    with transaction() as session:
        assert len(sequence.send_due(session, now=NOW)) == 1
        assert campaigns.finish(session, now=NOW) == [campaign_id]


def test_a_finish_that_waited_for_an_enrollment_looks_again(ledger: str) -> None:
    campaign_id = _launched()
    with transaction() as session:
        sequence.send_due(session, now=NOW)
        late = sequence.people(session, 1, prefix="tarde")
    with transaction() as finishing:
        finishing.execute(text("SELECT 1 FROM campaigns"))
        with transaction() as enrolling:
            enrollments.enroll(enrolling, campaign_id, contact_ids=late, now=NOW)
        assert campaigns.finish(finishing, now=NOW) == []


def test_contacts_enrolled_after_the_finish_run_the_campaign_again(ledger: str) -> None:
    campaign_id = _launched()
    with transaction() as session:
        sequence.send_due(session, now=NOW)
        late = sequence.people(session, 1, prefix="tarde")

    def finish(session: Session) -> None:
        assert campaigns.finish(session, now=NOW) == [campaign_id]

    def enroll(session: Session) -> None:
        enrollments.enroll(session, campaign_id, contact_ids=late, now=NOW)

    crossing(finish, enroll)
    assert _one("SELECT state FROM campaigns") == ("running",)


def test_two_pages_at_once_enroll_each_contact_once(ledger: str) -> None:
    with transaction() as session:
        sequence.people(session, 5)
        campaign_id = sequence.create(session)
        enrollments.begin(session, campaign_id, now=NOW)

    def page(session: Session) -> None:
        assert enrollments.proceed(session, limit=2) is not None

    crossing(page, page)
    assert _one("SELECT count(*), count(DISTINCT contact_id) FROM enrollments") == (2, 2)


def test_contacts_enrolled_while_the_campaign_is_launched_are_due(ledger: str) -> None:
    with transaction() as session:
        sequence.people(session, 3)
        campaign_id = sequence.create(session)
        enrollments.enroll(session, campaign_id, contact_ids=sequence.people(session, 1), now=NOW)
        enrollments.begin(session, campaign_id, now=NOW)

    def page(session: Session) -> None:
        assert enrollments.proceed(session) is not None

    def launch(session: Session) -> None:
        campaigns.launch(session, campaign_id, now=LATER)

    crossing(page, launch)
    with transaction() as session:
        while enrollments.proceed(session):
            pass
    assert _one("SELECT count(*), min(next_at), max(next_at) FROM enrollments") == (3, LATER, LATER)


def test_an_email_parked_while_its_campaign_is_resumed_is_due_again(ledger: str) -> None:
    campaign_id = _paused_with_a_deferred_email()

    def park(session: Session) -> None:
        assert sequence.take(session, now=LATER) == []

    def resume(session: Session) -> None:
        campaigns.resume(session, campaign_id, now=LATER)

    crossing(park, resume)
    assert _one("SELECT due_at FROM emails") == (LATER,)


def test_an_email_of_a_campaign_resumed_while_a_claim_decides_is_not_parked(ledger: str) -> None:
    campaign_id = _paused_with_a_deferred_email()

    def resume(session: Session) -> None:
        campaigns.resume(session, campaign_id, now=LATER)

    def park(session: Session) -> None:
        sequence.take(session, now=LATER)

    crossing(resume, park)
    assert _one("SELECT due_at < CAST('8000-01-01' AS timestamptz) FROM emails") == (True,)
    assert PARKED.year > 8000


def _give_back(session: Session, group: Group) -> None:
    results = [(email, sequence.GIVEN_BACK) for email in group.emails]
    advance.apply(session, settle.settle(session, OpenGroup(group.id, group.step), results, now=NOW), now=NOW)


@pytest.mark.parametrize("event_first", [True, False])
def test_an_event_while_its_email_is_given_back_leaves_no_row_of_a_closed_group(
    ledger: str, *, event_first: bool
) -> None:
    _launched(2)
    with transaction() as session:
        group = _claimed(session)
    email_id = group.emails[0].email_id

    def event(session: Session) -> None:
        early_events.admit(session, [email_id], now=NOW)

    def hand_back(session: Session) -> None:
        _give_back(session, group)

    crossing(*((event, hand_back) if event_first else (hand_back, event)))
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM emails WHERE status IN ('claimed', 'sending')")) == 0
    with transaction() as session:
        mails = sequence.send_due(session, now=NOW + timedelta(minutes=2))
        assert sorted(mail.status for mail in mails) == ["sent", "sent"]
        assert audit.read(session).findings == ()


def test_an_event_of_an_email_that_was_given_back_has_no_email(ledger: str) -> None:
    _launched()
    with transaction() as session:
        group = _claimed(session)
    with transaction() as session:
        _give_back(session, group)
    with transaction() as session:
        early_events.admit(session, [group.emails[0].email_id], now=NOW)
        assert session.scalar(text("SELECT count(*) FROM emails")) == 0
