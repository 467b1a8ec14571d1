"""Drafts of campaigns: create, edit, clone, delete. A campaign is a draft until it is launched or cancelled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.audience import segments, zones
from engine.campaigns import campaigns, enrollments, steps
from engine.templates import templates
from errors import Conflict, Fault, InvalidInput
from models import Campaign, CampaignStep, ids

NAME_CHARS_MAX = 100
_COPIES_MAX = 1_000
_NAMED_ALIKE = "name: another campaign has this name; choose another"


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """The content of a draft; an empty audience means every contact (see `segments.read`)."""

    name: str
    steps: Sequence[steps.StepDraft]
    timezone: str = "UTC"
    audience: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)


def create(session: Session, draft: CampaignDraft, *, library: templates.Library, now: datetime) -> UUID:
    """Store a campaign as a draft and return its id.

    Raises InvalidInput with all faults, among them template variables that nothing provides; Conflict if another
    campaign has the name.
    """
    _check(session, draft, library)
    return _insert(session, draft, library, now)


def of(session: Session, campaign_id: UUID) -> CampaignDraft:
    """Return the content of a campaign in any state; raises NotFound."""
    view = campaigns.view(session, campaign_id)
    plan = [_step(step) for step in steps.of(session, campaign_id)]
    return CampaignDraft(view.name, plan, view.timezone, view.audience, view.variables)


def edit(
    session: Session, campaign_id: UUID, draft: CampaignDraft, *, version: int, library: templates.Library
) -> None:
    """Replace the content of a draft, whose version must still be `version`; its version grows by one.

    Raises NotFound; InvalidInput with all faults; Conflict if it is no draft any more, if somebody else has edited it
    since, if another campaign has the name, or if contacts are enrolled by the audience that is to change.
    """
    campaigns.lock(session, campaign_id, "draft", to="edited")
    stored = campaigns.view(session, campaign_id)
    if stored.version != version:
        number = f"it is {stored.version} now, not {version}"
        raise Conflict(f"version: somebody has edited it meanwhile; {number}: load it again")
    _check(session, draft, library)
    if draft.audience != stored.audience and enrollments.are_chosen(session, campaign_id):
        raise Conflict("audience: its contacts are enrolled already; clone the campaign to choose others")
    if session.scalar(select(Campaign.id).where(Campaign.name == draft.name, Campaign.id != campaign_id)):
        raise Conflict(_NAMED_ALIKE)
    session.execute(
        update(Campaign).where(Campaign.id == campaign_id).values(**_columns(draft), version=Campaign.version + 1)
    )
    session.execute(delete(CampaignStep).where(CampaignStep.campaign_id == campaign_id))
    steps.add(session, campaign_id, draft.steps, library)


def keep_to_sign_ups(session: Session, campaign_id: UUID) -> None:
    """Let a draft enroll only those who sign up by a form, instead of its audience; enrolled contacts stay.

    Safe to repeat. Raises NotFound; Conflict if it is no draft any more.
    """
    campaigns.lock(session, campaign_id, "draft", to="edited")
    only = {segments.ONLY_SIGN_UPS: True}
    session.execute(
        update(Campaign).where(Campaign.id == campaign_id).values(audience=only, version=Campaign.version + 1)
    )


def clone(
    session: Session, campaign_id: UUID, *, library: templates.Library, word: str = "copy", now: datetime
) -> UUID:
    """Store the content of a campaign in any state as a new draft, named like `Otoño (copy)`, and return its id.

    `word` stands in the name. The templates are not checked, so that a campaign whose template was renamed can be
    cloned and then edited. Raises NotFound.
    """
    draft = of(session, campaign_id)
    for number in range(1, _COPIES_MAX):
        suffix = f" ({word})" if number == 1 else f" ({word} {number})"
        name = draft.name[: NAME_CHARS_MAX - len(suffix)] + suffix
        if session.scalar(select(Campaign.id).where(Campaign.name == name)) is None:
            return _insert(session, replace(draft, name=name), library, now)
    raise Conflict(f"name: {_COPIES_MAX} campaigns have the names of copies; rename or delete some")


def remove(session: Session, campaign_id: UUID) -> None:
    """Delete a draft for good: nothing was sent, so nothing has to be accounted for.

    Raises NotFound; Conflict if it is no draft, if contacts are enrolled, who explain it, or if an open form enrolls
    people in it.
    """
    campaigns.lock(session, campaign_id, "draft", to="deleted")
    if enrollments.any_of(session, campaign_id):
        raise Conflict("state: contacts are enrolled in it, which explains why they get nothing; cancel it instead")
    if slugs := enrollments.forms(session, campaign_id):
        raise Conflict(f"state: the form {slugs[0]} enrolls people in it; choose another campaign there, or none")
    session.execute(delete(CampaignStep).where(CampaignStep.campaign_id == campaign_id))
    session.execute(delete(Campaign).where(Campaign.id == campaign_id))


def faults(session: Session, draft: CampaignDraft, library: templates.Library) -> list[Fault]:
    """Return all faults of a draft, except that of a name in use."""
    of_steps = steps.template_faults(session, draft.steps, draft.variables, library)
    return [*_faults(draft), *steps.faults(draft.steps), *of_steps]


def recheck(session: Session, campaign_id: UUID, library: templates.Library) -> None:
    """Raise InvalidInput if a template of the database needs variables that the campaign lacks: before a launch.

    The draft was checked with the versions that were published when it was written. Raises NotFound.
    """
    draft = of(session, campaign_id)
    library.refresh()
    plan = [step for step in draft.steps if step.template in library.published()]
    if refused := list(steps.template_faults(session, plan, draft.variables, library)):
        raise InvalidInput(refused)


def _check(session: Session, draft: CampaignDraft, library: templates.Library) -> None:
    if refused := faults(session, draft, library):
        raise InvalidInput(refused)


def _faults(draft: CampaignDraft) -> Iterator[Fault]:
    if not draft.name.strip() or len(draft.name) > NAME_CHARS_MAX or not draft.name.isprintable():
        yield Fault("name", f"give 1 to {NAME_CHARS_MAX} printable characters")
    if not zones.exists(draft.timezone):
        yield Fault("timezone", zones.fault(draft.timezone))
    try:
        segments.read(draft.audience)
    except InvalidInput as refused:
        yield from refused.faults


def _insert(session: Session, draft: CampaignDraft, library: templates.Library, now: datetime) -> UUID:
    values = {"id": ids.new(), "created_at": now, **_columns(draft)}
    adding = insert(Campaign).values(values).on_conflict_do_nothing(index_elements=["name"])
    campaign_id: UUID | None = session.scalar(adding.returning(Campaign.id))
    if campaign_id is None:
        raise Conflict(_NAMED_ALIKE)
    steps.add(session, campaign_id, draft.steps, library)
    return campaign_id


def _step(step: steps.Step) -> steps.StepDraft:
    window = step.window
    return steps.StepDraft(
        step.template, step.delay_s, window.start_min, window.end_min, tuple(sorted(window.weekdays))
    )


def _columns(draft: CampaignDraft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "timezone": draft.timezone,
        "audience": dict(draft.audience),
        "variables": dict(draft.variables),
    }
