"""Campaigns are checked when they are created, and change state only along the diagram."""

from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns, enrollments, steps
from engine.campaigns.campaigns import CampaignDraft
from engine.campaigns.steps import StepDraft
from engine.delivery import emails, outbox
from errors import Conflict, InvalidInput, NotFound
from models.session import transaction
from tests import contact_rows, sequence
from tests.sequence import NOW


def _faults(session: Session, draft: CampaignDraft) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        campaigns.create(session, draft, library=sequence.library(), now=NOW)
    assert session.scalar(text("SELECT count(*) FROM campaigns")) == 0
    return {fault.field: fault.message for fault in refused.value.faults}


def test_create_stores_a_draft_with_numbered_steps_and_unrendered_subjects(session: Session) -> None:
    campaign_id = sequence.create(session, timezone="Europe/Madrid", audience={"industry": ["Marketing"]})
    stored = campaigns.view(session, campaign_id)
    assert (stored.name, stored.state, stored.timezone) == ("Otoño", "draft", "Europe/Madrid")
    assert (stored.audience, stored.variables) == ({"industry": ["Marketing"]}, sequence.VARIABLES)
    assert (stored.created_at, stored.launched_at) == (NOW, None)
    assert [(step.step, step.template) for step in steps.of(session, campaign_id)] == list(
        enumerate(sequence.TEMPLATES, start=1)
    )
    assert all(step.subject for step in steps.of(session, campaign_id))
    assert [view.id for view in campaigns.latest(session)] == [campaign_id]
    assert campaigns.find(session, "Otoño") == campaign_id


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": " "}, {"name"}),
        ({"name": "x" * 101}, {"name"}),
        ({"name": "a\nb"}, {"name"}),
        ({"timezone": "Marte/Olympus"}, {"timezone"}),
        ({"timezone": "../../etc/passwd"}, {"timezone"}),
        ({"steps": []}, {"steps"}),
        ({"steps": [StepDraft("email_1_roi")] * 4}, {"steps"}),
        ({"steps": [StepDraft("email_1_roi", -1)]}, {"steps[0].delay_s"}),
        ({"steps": [StepDraft("email_1_roi", 40_000_000)]}, {"steps[0].delay_s"}),
        ({"steps": [StepDraft("email_1_roi", 0, 600, 600)]}, {"steps[0].window_end_min"}),
        ({"steps": [StepDraft("email_1_roi", 0, 0, 1441)]}, {"steps[0].window_end_min"}),
        ({"steps": [StepDraft("email_1_roi", weekdays=())]}, {"steps[0].weekdays"}),
        ({"steps": [StepDraft("email_1_roi", weekdays=(0, 1))]}, {"steps[0].weekdays"}),
        ({"steps": [StepDraft("email_1_roi"), StepDraft("no_such")]}, {"steps[1].template"}),
        ({"audience": {"planet": ["Marte"]}}, {"audience.planet"}),
        ({"audience": {"industry": "Marketing", "min_score": "10"}}, {"audience.industry", "audience.min_score"}),
        ({"audience": {"min_score": 10**30, "max_score": True}}, {"audience.min_score", "audience.max_score"}),
        ({"audience": {"attributes": {"origen": 1}}}, {"audience.attributes"}),
        ({"variables": {}}, {"variables.link_calendly"}),
        ({"variables": {"link_calendly": "javascript:alert(1)"}}, {"variables.link_calendly"}),
        ({"name": "", "timezone": "X", "variables": {}}, {"name", "timezone", "variables.link_calendly"}),
    ],
)
def test_create_reports_every_fault_of_a_draft(session: Session, changes: dict[str, object], fields: set[str]) -> None:
    assert _faults(session, replace(sequence.draft(), **changes)).keys() == fields  # type: ignore[arg-type]


def test_create_accepts_a_variable_that_contacts_have_as_an_attribute(session: Session) -> None:
    assert "variables.link_calendly" in _faults(session, sequence.draft(variables={}))
    rows = b"email,link calendly\nana@a.example,https://calendly.example/ana\n"
    contact_rows.take_in(session, BytesIO(rows), now=NOW)
    assert sequence.create(session, variables={})


def test_create_refuses_a_name_in_use(session: Session) -> None:
    sequence.create(session)
    with pytest.raises(Conflict, match="name"):
        sequence.create(session)


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


def test_a_claim_parks_emails_of_a_paused_campaign_and_resume_makes_them_due(session: Session) -> None:
    sequence.people(session, 4)
    campaign_id = sequence.create(session)
    campaigns.launch(session, campaign_id, now=NOW)
    deferred = sequence.take(session, now=NOW, limit=1)[:1]
    sequence.record(session, deferred, sequence.DEFERRED, now=NOW)
    campaigns.pause(session, campaign_id, "a look first", now=NOW)
    later = NOW + timedelta(days=5)
    assert outbox.due_lanes(session, now=later) == ["campaign"]
    assert sequence.take(session, now=later) == []
    assert set(session.scalars(text("SELECT due_at FROM emails"))) == {emails.PARKED}
    assert outbox.due_lanes(session, now=later) == []
    campaigns.resume(session, campaign_id, now=later)
    assert set(session.scalars(text("SELECT due_at FROM emails"))) == {later}
    assert len(sequence.send_due(session, now=later)) == 1  # the other three are in the first sender's hand


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
    taken = sequence.take(session, now=NOW)
    assert campaigns.finish(session, now=NOW) == []
    sequence.record(session, taken, now=NOW)
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
