"""Subjects as recipients read them, from what is stored."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns
from engine.delivery import outbox
from models import vault
from tests import sends, sequence

NOW = sequence.NOW
SUBJECT = "{{ nombre }}, una idea{% if industria %} en {{ industria }}{% endif %}"


def stored(session: Session, email_id: UUID, **columns: Any) -> str | None:
    """Return the subject after these columns of the e-mail were changed."""
    for name, value in columns.items():
        session.execute(text(f"UPDATE emails SET {name} = :value WHERE id = :id"), {"value": value, "id": email_id})
    return outbox.details(session, email_id).subject


def test_a_single_sends_subject_is_what_was_stored_encrypted(session: Session) -> None:
    [email_id] = sends.queue(session, subject="Begoña, tu factura — ñ 🎉 " + "x" * 500)
    assert outbox.details(session, email_id).subject == "Begoña, tu factura — ñ 🎉 " + "x" * 500
    raw = session.scalar(text("SELECT subject FROM emails"))
    assert "factura" not in raw


def test_a_subject_that_no_key_decrypts_is_none(session: Session) -> None:
    [email_id] = sends.queue(session)
    foreign = vault.Vault([Fernet.generate_key().decode()], "x" * 32).encrypt("Hola")
    assert stored(session, email_id, subject=foreign) is None


def test_a_source_of_an_older_version_is_rendered_with_the_variables_of_its_email(session: Session) -> None:
    [email_id] = sends.queue(session)
    assert stored(session, email_id, subject=SUBJECT) == "Ana, una idea en Logística"


@pytest.mark.parametrize("source", ["{{ nadie }}, una idea", "{{ broken", "{{ 'a' * 99999999 }}", "{% include 'x' %}"])
def test_a_source_that_cannot_be_rendered_is_returned_as_it_is(session: Session, source: str) -> None:
    [email_id] = sends.queue(session)
    assert stored(session, email_id, subject=source) == source
    assert stored(session, email_id, variables="gAAAAA-damaged") == source


def test_a_campaigns_subject_has_the_values_of_the_contact_in_flight_and_afterwards(session: Session) -> None:
    [contact_id] = sequence.people(session, 1)
    session.execute(text("UPDATE contacts SET first_name = 'Eva', industry = 'Banca'"))
    campaign_id = sequence.create(session)
    campaigns.launch(session, campaign_id, now=NOW)
    groups = sequence.take(session, now=NOW)
    [email] = sequence.mails(groups)
    assert outbox.details(session, email.email_id).status == "sending"
    assert outbox.details(session, email.email_id).subject == "Eva, lo que cuesta no hacer seguimiento en Banca"
    sequence.record(session, groups, now=NOW + timedelta(seconds=1))
    assert outbox.details(session, email.email_id).contact_id == contact_id
    assert outbox.details(session, email.email_id).subject == "Eva, lo que cuesta no hacer seguimiento en Banca"


def test_the_subject_that_is_read_is_the_one_in_the_message(session: Session) -> None:
    values: Mapping[str, object] = {
        "nombre": "  Ana\u2003María ",
        "industria": "",
        "link_calendly": "https://c.example",
    }
    template = sequence.library().get("email_1_roi")
    [email_id] = sends.queue(session, subject=template.subject(values), variables=values)
    assert outbox.details(session, email_id).subject == "Ana María , lo que cuesta no hacer seguimiento"
