"""Drafts are checked when they are created and edited; of two edits at once the second is refused."""

from dataclasses import replace
from io import BytesIO

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns, enrollments, steps
from engine.campaigns.drafting import drafts
from engine.campaigns.drafting.drafts import CampaignDraft
from engine.campaigns.steps import StepDraft
from errors import Conflict, InvalidInput, NotFound
from models.session import transaction
from tests import contact_rows, sequence
from tests.crossing import crossing
from tests.sequence import NOW


def _faults(session: Session, draft: CampaignDraft) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        drafts.create(session, draft, library=sequence.library(), now=NOW)
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


def _stored(session: Session) -> CampaignDraft:
    return drafts.of(session, campaigns.find(session, "Otoño"))


def _edit(session: Session, draft: CampaignDraft, *, version: int = 1) -> None:
    campaign_id = campaigns.find(session, "Otoño")
    drafts.edit(session, campaign_id, draft, version=version, library=sequence.library())


def test_an_edit_replaces_the_whole_content_of_a_draft(session: Session) -> None:
    sequence.create(session)
    wanted = CampaignDraft(
        "Otoño",
        [StepDraft("email_2_caso", 3600, 540, 1080, (1, 2))],
        "Europe/Madrid",
        {"industry": ["Banca"]},
        {"link_calendly": "https://calendly.example/otro"},
    )
    _edit(session, wanted)
    assert _stored(session) == wanted
    view = campaigns.view(session, campaigns.find(session, "Otoño"))
    assert (view.state, view.version) == ("draft", 2)
    assert session.scalar(text("SELECT count(*) FROM campaign_steps")) == 1


def test_of_two_edits_of_one_version_the_second_is_refused(ledger: str) -> None:
    with transaction() as session:
        sequence.create(session)
        stored = _stored(session)

    def first(session: Session) -> None:
        _edit(session, replace(stored, timezone="Europe/Madrid"))

    def second(session: Session) -> None:
        _edit(session, replace(stored, timezone="America/Bogota"))

    with pytest.raises(Conflict, match="somebody has edited it meanwhile; it is 2 now, not 1"):
        crossing(first, second)
    with transaction() as session:
        assert _stored(session).timezone == "Europe/Madrid"


def test_an_edit_with_faults_or_a_name_in_use_changes_nothing(session: Session) -> None:
    sequence.create(session, "Invierno")
    sequence.create(session)
    stored = _stored(session)
    with pytest.raises(InvalidInput) as refused:
        _edit(session, replace(stored, timezone="Marte", steps=[StepDraft("nada")]))
    assert [fault.field for fault in refused.value.faults] == ["timezone", "steps[0].template"]
    with pytest.raises(Conflict, match="name: another campaign"):
        _edit(session, replace(stored, name="Invierno"))
    assert _stored(session) == stored


def test_only_a_draft_is_edited_and_its_audience_only_before_contacts_are_enrolled(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session)
    stored = _stored(session)
    enrollments.enroll(session, campaign_id, now=NOW)
    with pytest.raises(Conflict, match="audience: its contacts are enrolled already"):
        _edit(session, replace(stored, audience={"industry": ["Banca"]}))
    _edit(session, replace(stored, timezone="Europe/Madrid"))
    campaigns.launch(session, campaign_id, now=NOW)
    with pytest.raises(Conflict, match="state: the campaign is running; only a draft one can be edited"):
        _edit(session, stored, version=2)


def test_a_clone_is_a_draft_with_a_free_name(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session, "x" * 100, days=(0, 3), audience={"industry": ["Moda"]})
    clones = [
        drafts.clone(session, campaign_id, library=sequence.library(), word=word, now=NOW)
        for word in ("copy", "copy", "copia")
    ]
    assert [campaigns.view(session, clone).name for clone in clones] == [
        f"{'x' * 93} (copy)", f"{'x' * 91} (copy 2)", f"{'x' * 92} (copia)",
    ]  # fmt: skip
    original = drafts.of(session, campaign_id)
    for clone in clones:
        assert replace(drafts.of(session, clone), name=original.name) == original
        assert campaigns.view(session, clone).state == "draft" and not enrollments.any_of(session, clone)


def test_a_campaign_whose_template_is_gone_can_be_cloned_and_then_edited(session: Session) -> None:
    campaign_id = sequence.create(session)
    session.execute(text("UPDATE campaign_steps SET template = 'nada' WHERE step = 1"))
    clone = drafts.clone(session, campaign_id, library=sequence.library(), now=NOW)
    assert [fault.field for fault in drafts.faults(session, drafts.of(session, clone), sequence.library())] == [
        "steps[0].template"
    ]


def test_a_draft_in_which_nobody_is_enrolled_is_deleted(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session)
    drafts.remove(session, campaign_id)
    with pytest.raises(NotFound):
        drafts.remove(session, campaign_id)
    again = sequence.create(session)
    enrollments.enroll(session, again, now=NOW)
    with pytest.raises(Conflict, match="cancel it instead"):
        drafts.remove(session, again)
    campaigns.launch(session, again, now=NOW)
    with pytest.raises(Conflict, match="only a draft one can be deleted"):
        drafts.remove(session, again)
