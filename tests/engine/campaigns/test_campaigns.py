"""Campaigns change state only along the diagram."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import upkeep
from engine.campaigns import campaigns, enrollments
from engine.delivery import emails
from errors import Conflict, NotFound
from models.session import transaction
from tests import sequence
from tests.sequence import NOW


def test_launch_enrolls_the_audience_when_the_campaign_has_no_enrollments(session: Session) -> None:
    sequence.people(session, 3)
    session.execute(
        text("UPDATE contacts SET industry = 'Marketing' WHERE id = (SELECT min(id::text)::uuid FROM contacts)")
    )
    campaign_id = sequence.create(session, audience={"industry": ["Marketing"]})
    campaigns.launch(session, campaign_id, now=NOW)
    assert campaigns.view(session, campaign_id).launched_at == NOW
    assert len(sequence.send_due(session, now=NOW)) == 1


def test_launch_refuses_and_changes_nothing_when_the_audience_is_empty(ledger: str) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session)
    with pytest.raises(Conflict, match="audience"), transaction() as session:
        campaigns.launch(session, campaign_id, now=NOW)
    with transaction() as session:
        assert campaigns.view(session, campaign_id).state == "draft"


def test_launch_makes_step_one_due_at_its_window(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session, days=(1,), window_start_min=600, timezone="Europe/Madrid")
    campaigns.launch(session, campaign_id, now=NOW)
    # A day after Monday 09:00 UTC it is 10:00 in Madrid: the window is open.
    assert session.scalar(text("SELECT next_at FROM enrollments")) == NOW + timedelta(days=1)


def test_states_change_only_along_the_diagram(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session)
    for refused in (
        lambda: campaigns.pause(session, campaign_id, "no", now=NOW),
        lambda: campaigns.resume(session, campaign_id, now=NOW),
    ):
        with pytest.raises(Conflict, match="draft"):
            refused()  # type: ignore[no-untyped-call]  # mypy infers no type for a tuple of lambdas
    campaigns.launch(session, campaign_id, now=NOW)
    with pytest.raises(Conflict, match="running"):
        campaigns.launch(session, campaign_id, now=NOW)
    with pytest.raises(Conflict, match="running"):
        campaigns.resume(session, campaign_id, now=NOW)
    campaigns.pause(session, campaign_id, "typo in the subject", now=NOW)
    assert campaigns.view(session, campaign_id).reason == "typo in the subject"
    with pytest.raises(Conflict, match="paused"):
        campaigns.pause(session, campaign_id, "again", now=NOW)
    campaigns.resume(session, campaign_id, now=NOW)
    assert (campaigns.view(session, campaign_id).state, campaigns.view(session, campaign_id).reason) == (
        "running",
        None,
    )


@pytest.mark.parametrize("is_paused_first", [True, False])
def test_a_claim_parks_emails_of_a_paused_campaign_and_resume_makes_them_due(
    session: Session, *, is_paused_first: bool
) -> None:
    sequence.people(session, 4)
    campaign_id = sequence.create(session)
    campaigns.launch(session, campaign_id, now=NOW)
    deferred = sequence.take(session, now=NOW, limit=1)[:1]
    if is_paused_first:
        campaigns.pause(session, campaign_id, "a look first", now=NOW)
    sequence.record(session, deferred, sequence.DEFERRED, now=NOW)
    if not is_paused_first:
        campaigns.pause(session, campaign_id, "a look first", now=NOW)
    later = NOW + timedelta(days=5)
    assert upkeep.bells(session, now=later) == ["campaign"]
    assert sequence.take(session, now=later) == []
    assert set(session.scalars(text("SELECT due_at FROM emails"))) == {emails.PARKED}
    assert upkeep.bells(session, now=later) == []
    campaigns.resume(session, campaign_id, now=later)
    assert set(session.scalars(text("SELECT due_at FROM emails"))) == {later}
    assert len(sequence.send_due(session, now=later)) == 1  # the first sender has claimed the other three


def test_the_time_for_retries_starts_again_after_a_long_pause(
    session: Session,
) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session)
    campaigns.launch(session, campaign_id, now=NOW)
    sequence.send_due(session, sequence.DEFERRED, now=NOW)
    campaigns.pause(session, campaign_id, "a holiday", now=NOW)
    later = NOW + timedelta(days=20)
    campaigns.resume(session, campaign_id, now=later)
    for hours in (0, 24, 48):
        (mail,) = sequence.send_due(session, sequence.DEFERRED, now=later + timedelta(hours=hours))
        assert (mail.status, mail.reason) == ("queued", "deferred")
    (mail,) = sequence.send_due(session, sequence.DEFERRED, now=later + timedelta(hours=72))
    assert (mail.status, mail.reason) == ("failed", "expired")


def test_finish_waits_for_the_last_contact_and_enrolling_restarts_the_campaign(session: Session) -> None:
    sequence.people(session, 2)
    campaign_id = sequence.create(session, days=(0,))
    campaigns.launch(session, campaign_id, now=NOW)
    assert campaigns.finish(session, now=NOW) == []
    groups = sequence.take(session, now=NOW)
    assert campaigns.finish(session, now=NOW) == []
    sequence.record(session, groups, now=NOW)
    assert campaigns.finish(session, now=NOW) == [campaign_id]
    assert campaigns.finish(session, now=NOW) == []
    assert campaigns.view(session, campaign_id).finished_at == NOW
    late = sequence.people(session, 1, prefix="tarde")
    enrollments.enroll(session, campaign_id, contact_ids=late, now=NOW)
    assert campaigns.view(session, campaign_id).state == "running"
    assert len(sequence.send_due(session, now=NOW)) == 1


def test_every_function_raises_when_the_campaign_does_not_exist(session: Session) -> None:
    for call in (
        lambda: campaigns.view(session, uuid4()),
        lambda: campaigns.find(session, "ninguna"),
        lambda: campaigns.launch(session, uuid4(), now=NOW),
        lambda: campaigns.pause(session, uuid4(), "", now=NOW),
        lambda: campaigns.resume(session, uuid4(), now=NOW),
    ):
        with pytest.raises(NotFound):
            call()
