"""A preview has the values of the campaign's e-mail to the contact, and lists the campaigns that use a template."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.audience import contacts
from engine.audience.contacts import Draft
from engine.previews import usage, values
from engine.templates.templates import Library
from errors import NotFound
from tests import sequence


def test_the_values_of_a_contact_and_a_campaign(session: Session) -> None:
    template = Library.configured(settings.current()).get("email_1_roi")
    contacts.upsert(session, [Draft("ana@empresa.example", first_name="Ana")], now=sequence.NOW)
    contact_id = contacts.find(session, "ana@empresa.example")
    campaign_id = sequence.create(session)
    shown = values.of(session, template, contact_id=contact_id, campaign_id=campaign_id)
    assert shown.variables["nombre"] == "Ana" and shown.variables["industria"] == ""
    assert (shown.contact, shown.missing) == ("Ana", ())
    alone = values.of(session, template, contact_id=contact_id, campaign_id=None)
    assert alone.missing == ("link_calendly",)
    assert alone.variables["link_calendly"] == template.sample["link_calendly"]
    shared = values.of(session, template, contact_id=None, campaign_id=campaign_id)
    assert shared.variables["nombre"] == template.sample["nombre"]
    assert shared.variables["link_calendly"] == shown.variables["link_calendly"]


def test_an_unknown_contact_or_campaign_is_refused(session: Session) -> None:
    template = Library.configured(settings.current()).get("email_1_roi")
    for contact_id, campaign_id in ((UUID(int=1), None), (None, UUID(int=1))):
        with pytest.raises(NotFound):
            values.of(session, template, contact_id=contact_id, campaign_id=campaign_id)


def test_campaigns_that_use_a_template_are_named_until_they_finish(session: Session) -> None:
    campaign_id = sequence.create(session, "Otoño")
    [use] = usage.of(session, ["email_1_roi", "otra"])["email_1_roi"]
    assert (use.id, use.name, use.state) == (campaign_id, "Otoño", "draft")
    session.execute(text("UPDATE campaigns SET state = 'finished'"))
    assert usage.of(session, ["email_1_roi"]) == {}
