"""Extreme values reach the limits of the columns, and every template that is shipped can be rendered with them."""

from itertools import product

from sqlalchemy.orm import Session

from engine.audience import contacts
from engine.audience.contacts import Draft
from engine.previews import extremes, preview, values
from tests import sequence

COLUMNS = ("nombre", "apellido", "empresa", "cargo", "industria")


def test_every_template_can_be_shown_with_them() -> None:
    library = sequence.library()
    for template, extreme in product(map(library.get, library.names()), extremes.NAMES):
        variables = extremes.of(template, extreme)
        assert template.check(variables) == [], (template.name, extreme)
        html = preview.html(template, variables).decode()
        assert "<script>" not in html and "{% if x" not in html.replace("{% if x %} 100", "")


def test_the_longest_are_as_long_as_a_contact_may_have_them(session: Session) -> None:
    longest = extremes.of(sequence.library().get("email_1_roi"), "longest")
    first, last, company, role, industry = (str(longest[name]) for name in COLUMNS)
    draft = Draft(
        "ana@empresa.example", first_name=first, last_name=last, company=company, role=role, industry=industry
    )
    contacts.upsert(session, [draft], now=sequence.NOW)
    contact_id = contacts.find(session, draft.address)
    assert contact_id is not None
    assert contacts.view(session, contact_id).company == company and len(company) == 100
    assert longest["link_calendly"] == sequence.library().get("email_1_roi").sample["link_calendly"]


def test_the_emptiest_have_only_what_is_required() -> None:
    template = sequence.library().get("email_1_roi")
    emptiest = extremes.of(template, "emptiest")
    assert {emptiest[name] for name in COLUMNS} == {""} and "remitente" not in emptiest
    assert template.required <= emptiest.keys()


def test_a_campaign_overrides_them(session: Session) -> None:
    template = sequence.library().get("email_1_roi")
    campaign_id = sequence.create(session)
    shown = values.of(session, template, contact_id=None, campaign_id=campaign_id, extreme="oddest")
    assert "<script>" in str(shown.variables["empresa"]) and shown.missing == ()
    assert shown.variables["link_calendly"] != template.sample["link_calendly"]
