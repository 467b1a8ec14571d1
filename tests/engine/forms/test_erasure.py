"""Erasing a person: the contact, its pending sign-ups and its consents, of which the proof remains."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from engine.audience import contacts
from engine.forms import consents, pending, people
from engine.forms.definitions import VALID
from errors import Conflict
from models import vault
from models.session import retrying, transaction
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.sends import NOW

LATER = NOW + timedelta(hours=1)


def test_nothing_personal_is_left_in_submissions_and_the_consent_can_be_proved(ledger: str) -> None:
    with transaction() as session:
        form, other = signups.create(session), signups.create(session, slug="otra")
    signups.submit(form)
    signups.confirm()
    signups.submit(other, now=LATER)
    with transaction() as session:
        contact_id = contacts.find(session, ADDRESS)
        session.execute(text("UPDATE form_submissions SET page = 'https://a.example/ana', network = 'other', "
                             "confirmed_network = 'other'"))  # fmt: skip
    assert contact_id is not None
    for _ in range(2):
        people.suppress_and_erase(retrying, contact_id, now=LATER)
    with transaction() as session:
        left = text("SELECT num_nonnulls(email_index, address, fields, page, network, confirmed_network) AS number, "
                    "state FROM form_submissions ORDER BY id")  # fmt: skip
        assert [tuple(row) for row in session.execute(left)] == [(0, "confirmed"), (0, "expired")]
        sealed = session.scalars(text("SELECT email FROM contacts")).all()
        assert [vault.current().decrypt(each) for each in sealed] == ["", ""]
        assert session.scalar(text("SELECT count(variables) FROM emails")) == 0
        [consent] = consents.of(session, contact_id)
    assert (consent.form, consent.text, consent.page) == ("guia", "Acepto recibir correos.", None)
    assert signups.confirm(LATER, _waiting())[0].state == "expired"


def _notified() -> UUID:
    """Confirm a sign-up of which a colleague gets a notice; return the contact."""
    with transaction() as session:
        form = signups.create(session, notify=["jefa@ronda.example"])
    signups.submit(form)
    signups.confirm()
    with transaction() as session:
        contact_id = contacts.find(session, ADDRESS)
    assert contact_id is not None and ADDRESS in str(signups.variables()[-1])
    return contact_id


def _notice(changes: str = "status = status") -> tuple[str, bool]:
    """Change the notice; return its status, and True if it has values."""
    query = text(f"UPDATE emails SET {changes} WHERE template = 'signup_notice' RETURNING status, variables")
    with transaction() as session:
        status, variables = session.execute(query).one()
    return status, variables is not None


def test_notices_of_an_erased_person_lose_the_values(ledger: str) -> None:
    contact_id = _notified()
    _notice("status = 'sending'")
    with pytest.raises(Conflict, match="a notice of it is being sent"):
        people.suppress_and_erase(retrying, contact_id, now=LATER)
    assert _notice("status = 'sent'") == ("sent", True)
    people.suppress_and_erase(retrying, contact_id, now=LATER)
    assert _notice() == ("sent", False)


@pytest.mark.parametrize(
    ("before", "after"), [("sent", ("sent", False)), ("queued", ("cancelled", False)), ("sending", ("sending", True))]
)
def test_a_notice_loses_the_values_a_week_after_the_confirmation(
    ledger: str, before: str, after: tuple[str, bool]
) -> None:
    _notified()
    _notice(f"status = '{before}'")
    pending.proceed(retrying, services=signups.services(), now=signups.CONFIRMED_AT + VALID - timedelta(seconds=1))
    assert _notice() == (before, True)
    for _ in range(2):
        pending.proceed(retrying, services=signups.services(), now=signups.CONFIRMED_AT + VALID)
        assert _notice() == after


def _waiting() -> UUID | None:
    """Return the submission that was not confirmed."""
    with transaction() as session:
        return session.scalar(text("SELECT id FROM form_submissions WHERE state = 'expired'"))
