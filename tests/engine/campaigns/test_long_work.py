"""Long work on campaigns: a pause waits for none of it, and no transaction of it grows with the campaign."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import agenda, campaigns, due, enrollments
from engine.delivery import emails, senders
from engine.delivery.claim import Claimant
from models.session import transaction
from tests import sequence
from tests.crossing import waiting
from tests.sequence import NOW

DAY = timedelta(days=1)
PARKED = """
    INSERT INTO emails (id, contact_id, template, subject, status, lane, kind, campaign_id, step, message_id, due_at)
    SELECT gen_random_uuid(), :contact, 'email_1_roi', 'Hola', 'queued', 'campaign', 'marketing', :campaign, 1,
           CAST(n AS text), :parked
      FROM generate_series(1, :count) AS n
"""


def _claimant(session: Session) -> Claimant:
    return Claimant(senders.register(session, "testhost", 1), agenda.CAMPAIGN_LANE, 60, is_connected=True)


def _due(session: Session, moment: object) -> int:
    return int(session.scalar(text("SELECT count(*) FROM emails WHERE due_at = :moment"), {"moment": moment}) or 0)


@contextmanager
def _enrolling(campaign_id: UUID) -> Iterator[None]:
    """Make a page of enrolling wait inside its transaction, for the lock of a contact."""

    def page(session: Session) -> None:
        assert enrollments.proceed(session, campaign_id) is not None

    with waiting(page, sequence.lock_contacts):
        yield


@contextmanager
def _claiming(_campaign_id: UUID) -> Iterator[None]:
    """Hold the lock of the step as a sender does, with the group that it has claimed."""
    with transaction() as session:
        [(_, step)] = due.due_steps(session, now=NOW)
        assert step.claim(session, _claimant(session), limit=2, now=NOW) is not None
        yield


@pytest.mark.parametrize("work", [_enrolling, _claiming])
def test_a_pause_waits_for_neither_an_enrolling_page_nor_a_claim(ledger: str, work: object) -> None:
    with transaction() as session:
        campaign_id = sequence.launched(session, 3)
        sequence.people(session, 2, prefix="tarde")
        enrollments.begin(session, campaign_id, now=NOW)
    with work(campaign_id), transaction() as session:  # type: ignore[operator]
        session.execute(text("SET LOCAL lock_timeout = '900ms'"))
        campaigns.pause(session, campaign_id, "lunch", now=NOW)
    with transaction() as session:
        assert campaigns.view(session, campaign_id).state == "paused"
        assert sequence.take(session, now=NOW) == []


def test_a_claim_parks_no_more_emails_than_it_may_take(session: Session) -> None:
    campaign_id = sequence.launched(session, 3)
    sequence.send_due(session, sequence.DEFERRED, now=NOW)
    campaigns.pause(session, campaign_id, "lunch", now=NOW)
    claimant = _claimant(session)
    for parked in (0, 2, 3):
        assert _due(session, emails.PARKED) == parked  # a pause itself changes one row
        group = agenda.claim_queued(session, claimant, limit=2, now=NOW + DAY)
        assert group is None or not group.emails  # its caller commits before it asks again


def test_parked_emails_are_due_again_in_pages(session: Session) -> None:
    campaign_id, count = sequence.launched(session, 1), enrollments.PAGE + 2
    [contact] = sequence.people(session, 1)
    campaigns.pause(session, campaign_id, "lunch", now=NOW)
    session.execute(
        text(PARKED), {"contact": contact, "campaign": campaign_id, "parked": emails.PARKED, "count": count}
    )
    session.execute(text("ANALYZE emails"))
    campaigns.resume(session, campaign_id, now=NOW + DAY)
    assert (_due(session, NOW + DAY), campaigns.work(session).has_pages) == (enrollments.PAGE, True)
    while campaigns.unpark(session, now=NOW + DAY):
        pass
    assert (_due(session, NOW + DAY), campaigns.work(session).has_pages) == (count, False)
