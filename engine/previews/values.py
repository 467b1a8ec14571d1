"""The variables that a preview shows: the template's sample, or those of a contact and of a campaign."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from engine.audience import contacts
from engine.campaigns import campaigns
from engine.messages import variables
from engine.previews import extremes
from engine.previews.extremes import Extreme
from engine.templates.templates import Template


@dataclass(frozen=True, slots=True)
class Values:
    """Variables of a preview, and the names of the contact and the campaign that they come from, if any.

    `missing` names required variables that the contact or the campaign lacks, so that the e-mail would be refused; the
    sample stands in for them.
    """

    variables: Mapping[str, object]
    missing: tuple[str, ...] = ()
    contact: str | None = None
    campaign: str | None = None


def sample(template: Template) -> Values:
    """Return the template's sample values."""
    return _complete(template, template.sample)


def of(
    session: Session,
    template: Template,
    *,
    contact_id: UUID | None,
    campaign_id: UUID | None,
    extreme: Extreme | None = None,
) -> Values:
    """Return what an e-mail of this campaign to this contact would contain; the sample for one that is None.

    Without a contact, `extreme` values stand for the sample. Raise NotFound for an unknown contact or campaign.
    """
    campaign = campaigns.view(session, campaign_id) if campaign_id else None
    shared = campaign.variables if campaign else {}
    name = campaign.name if campaign else None
    if contact_id is None:
        stand_ins = extremes.of(template, extreme) if extreme else template.sample
        return _complete(template, {**stand_ins, **shared}, campaign=name)
    person = contacts.view(session, contact_id)
    columns = (person.first_name, person.last_name, person.company, person.role, person.industry)
    provided = variables.of_contact(columns, person.attributes, shared)
    known_as = " ".join(part for part in columns[:2] if part) or person.company or str(person.id)
    return _complete(template, provided, contact=known_as, campaign=name)


def _complete(
    template: Template, provided: Mapping[str, object], *, contact: str | None = None, campaign: str | None = None
) -> Values:
    missing = tuple(sorted(template.required - provided.keys()))
    stand_ins = {name: template.sample.get(name, f"«{name}»") for name in missing}
    return Values({**provided, **stand_ins}, missing, contact, campaign)
