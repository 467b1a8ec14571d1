"""Refused e-mails of a campaign are sent again, each once at its step, and the steps after it count from then."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import campaigns, retries, stops
from engine.campaigns.reports import funnel
from engine.delivery import audit
from errors import NotFound
from models import ids
from tests import sequence
from tests.sequence import NOW

DAY = timedelta(days=1)


def refused(session: Session, count: int = 10, *, days: tuple[int, ...] = (0, 3)) -> UUID:
    """Return the id of a campaign of which step 1 was refused for everybody."""
    sequence.people(session, count)
    campaign_id = sequence.create(session, days=days)
    campaigns.launch(session, campaign_id, now=NOW)
    sequence.send_due(session, sequence.REFUSED, now=NOW)
    return campaign_id


def states(session: Session) -> dict[tuple[str, int], int]:
    rows = session.execute(text("SELECT state, next_step, count(*) FROM enrollments GROUP BY 1, 2"))
    return {(state, step): count for state, step, count in rows}


def counted(session: Session) -> tuple[int, int, int]:
    query = "SELECT coalesce(sum(sent), 0), coalesce(sum(failed), 0), coalesce(sum(refused), 0) FROM email_stats"
    sent, failed, refused = session.execute(text(query)).one()
    return sent, failed, refused


def retry(session: Session, campaign_id: UUID, **options: Any) -> tuple[int, dict[str, int]]:
    retried = retries.retry(session, campaign_id, "refused", **{"now": NOW + DAY, **options})
    return retried.queued, dict(retried.kept)


def test_each_refused_step_is_sent_once_and_the_next_counts_from_then(session: Session) -> None:
    campaign_id = refused(session)
    assert (states(session), counted(session)) == ({("active", 2): 10}, (0, 10, 10))
    assert retry(session, campaign_id) == (10, {})
    assert (states(session), counted(session)) == ({("waiting", 1): 10}, (0, 0, 0))
    assert retry(session, campaign_id) == (0, {})
    assert len(sequence.send_due(session, now=NOW + DAY)) == 10
    assert (states(session), counted(session)) == ({("active", 2): 10}, (10, 0, 0))
    assert sequence.send_due(session, now=NOW + 4 * DAY - timedelta(seconds=1)) == []
    assert len(sequence.send_due(session, now=NOW + 4 * DAY)) == 10
    assert [(step.sent, step.failed) for step in funnel.of(session, campaign_id).steps] == [(10, 0), (10, 0)]
    assert audit.read(session).findings == ()


def test_a_campaign_that_had_finished_runs_again(session: Session) -> None:
    campaign_id = refused(session, days=(0,))
    assert campaigns.finish(session, now=NOW) == [campaign_id]
    assert retry(session, campaign_id) == (10, {})
    assert campaigns.view(session, campaign_id).state == "running"
    assert campaigns.finish(session, now=NOW + DAY) == []
    sequence.send_due(session, now=NOW + DAY)
    assert campaigns.finish(session, now=NOW + DAY) == [campaign_id]
    assert audit.read(session).findings == ()


def test_a_step_stays_failed_once_a_later_one_is_sent_or_on_its_way(session: Session) -> None:
    campaign_id = refused(session, 3, days=(0, 1, 1))
    groups = sequence.take(session, now=NOW + DAY)
    assert retry(session, campaign_id) == (0, {"later_step": 3})
    sequence.record(session, groups[:1], sequence.DEFERRED, now=NOW + DAY)
    assert retry(session, campaign_id) == (0, {"later_step": 3})
    sequence.send_due(session, now=NOW + 2 * DAY)
    assert retry(session, campaign_id) == (0, {"later_step": 3})
    assert audit.read(session).findings == ()


def test_stopped_contacts_and_delivered_emails_stay_as_they_are(session: Session) -> None:
    campaign_id = refused(session, 3)
    ana, eva, luz = session.scalars(text("SELECT contact_id FROM enrollments ORDER BY contact_id")).all()
    stops.stop(session, [ana], "replied", now=NOW)
    session.execute(text("UPDATE emails SET opened_at = :now WHERE contact_id = :eva"), {"now": NOW, "eva": eva})
    suppressions.add(session, [luz], "unsubscribed", now=NOW)
    assert retry(session, campaign_id) == (1, {"stopped": 1, "delivered": 1})
    assert sequence.send_due(session, now=NOW + DAY) == []  # the claim decides who may be mailed
    assert session.scalar(text("SELECT stop_reason FROM enrollments WHERE contact_id = :luz"), {"luz": luz}) == (
        "unsubscribed"
    )


def test_a_paused_campaign_stays_paused(session: Session) -> None:
    campaign_id = refused(session)
    campaigns.pause(session, campaign_id, "refusals", now=NOW)
    assert retry(session, campaign_id) == (10, {})
    assert sequence.send_due(session, now=NOW + DAY) == []
    campaigns.resume(session, campaign_id, now=NOW + DAY)
    assert len(sequence.send_due(session, now=NOW + DAY)) == 10


def test_only_failures_for_the_reason_are_retried_and_a_campaign_must_exist(session: Session) -> None:
    campaign_id = refused(session)
    session.execute(text("UPDATE emails SET reason = 'hard_bounce'"))
    assert retry(session, campaign_id) == (0, {})
    with pytest.raises(NotFound, match="campaign"):
        retry(session, ids.new())


def test_failures_are_taken_back_from_the_newest_hours(session: Session) -> None:
    campaign_id = refused(session, 4)
    session.execute(text("UPDATE emails SET status = 'cancelled' WHERE id IN (SELECT id FROM emails LIMIT 1)"))
    session.execute(
        text("""
        INSERT INTO email_stats (campaign_id, step, variant, hour, failed, refused)
        SELECT campaign_id, step, variant, hour - interval '5 hours', 3, 2 FROM email_stats""")
    )
    session.execute(text("UPDATE email_stats SET failed = 2, refused = 2 WHERE failed = 4"))
    assert retry(session, campaign_id)[0] == 3
    rows = session.execute(text("SELECT failed, refused FROM email_stats ORDER BY hour")).all()
    assert [tuple(row) for row in rows] == [(2, 1), (0, 0)]
