"""Submissions: no contact before the confirmation, few e-mails for one address, the same for every address."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts, suppressions
from engine.audience.directory import contact_pages, totals
from engine.campaigns import agenda
from engine.delivery.claim import Claimant
from engine.forms import submissions
from engine.forms.submissions import RefusedValues
from errors import NotFound
from models.session import transaction
from tests import sends
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.sends import NOW

MINUTE = timedelta(minutes=1)


def test_before_the_confirmation_nothing_of_the_product_knows_a_contact(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form)
    [mail] = signups.emails()
    assert (mail["template"], mail["kind"], mail["email"], mail["is_recipient"]) == (
        "confirmation_es", "transactional", ADDRESS, True,
    )  # fmt: skip
    with transaction() as session:
        assert contacts.find(session, ADDRESS) is None
        with pytest.raises(NotFound):
            contacts.view(session, mail["contact_id"])
        assert contact_pages.page(session, contact_pages.Filter()).contacts == ()
        assert totals.count(session)["contacts"] == 0
        assert session.scalars(text("SELECT id FROM contacts WHERE listed_at IS NOT NULL")).all() == []
        stored = session.execute(text("SELECT * FROM form_submissions")).one()
        assert ADDRESS not in str(stored) and "Ana" not in str(stored)


def test_an_address_gets_one_mail_in_ten_minutes_and_three_a_day_from_all_forms(ledger: str) -> None:
    with transaction() as session:
        form, other = signups.create(session), signups.create(session, slug="otra")
    for minutes in (0, 1, 9, 11, 12, 22, 33, 60):
        signups.submit(form if minutes % 2 else other, now=NOW + minutes * MINUTE)
    assert len(signups.emails()) == 3
    signups.submit(form, now=NOW + timedelta(days=1, minutes=1))
    assert len(signups.emails()) == 4


def test_a_repeated_submission_replaces_the_values_of_the_pending_one(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form)
    signups.submit(form, first_name="Ana María", now=NOW + MINUTE)
    signups.confirm()
    with transaction() as session:
        assert session.scalar(text("SELECT first_name FROM contacts WHERE NOT is_recipient")) == "Ana María"


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint", "unsubscribed", "manual", None])
def test_suppressed_addresses_are_treated_alike_and_the_claim_decides(ledger: str, reason: str | None) -> None:
    with transaction() as session:
        form = signups.create(session)
        if reason:
            suppressions.add_addresses(session, [ADDRESS], reason, now=NOW)
    signups.submit(form)
    assert [mail["status"] for mail in signups.emails()] == ["queued"]
    with transaction() as session:
        claim(session)
    binds = reason in ("hard_bounce", "complaint")
    assert [mail["status"] for mail in signups.emails()] == ["cancelled" if binds else "claimed"]


def test_a_released_address_gets_mails_again(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
        suppressions.add_addresses(session, [ADDRESS], "hard_bounce", now=NOW)
    signups.submit(form)
    with transaction() as session:
        session.execute(text("DELETE FROM suppressions WHERE email_index NOT IN (SELECT email_index FROM contacts)"))
    signups.submit(form, now=NOW + 11 * MINUTE)
    with transaction() as session:
        claim(session)
    assert [mail["status"] for mail in signups.emails()] == ["claimed", "claimed"]


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({"email": "ana"}, {"email": "address", "first_name": "needed", "consent": "consent"}),
        ({"email": ADDRESS, "first_name": "A" * 101, "consent": "1"}, {"first_name": "long"}),
        ({"email": ADDRESS, "first_name": "A\r\nBcc: x@x.example", "consent": "1"}, {"first_name": "control"}),
        ({"email": ADDRESS, "first_name": "A", "consent": "1", "size": "many"}, {"size": "option"}),
        ({"email": ADDRESS, "first_name": "A", "consent": "1", "__proto__": "x"}, {"__proto__": "unknown"}),
        ({"email[]": ADDRESS, "first_name": "A", "consent": "1"}, {"email[]": "unknown", "email": "address"}),
        ({"email": ADDRESS, "first_name": "A", "consent": "1", "utm_source": "x" * 101}, {"utm_source": "long"}),
    ],
)
def test_wrong_values_are_refused_at_their_fields(
    session: Session, values: dict[str, object], codes: dict[str, str]
) -> None:
    form = signups.create(session)
    with pytest.raises(RefusedValues) as refused:
        submissions.check(form.definition, values)
    assert refused.value.codes == codes
    assert ADDRESS not in str(refused.value)


def claim(session: Session) -> None:
    """Claim the due e-mails of the lane of single e-mails."""
    claimant = Claimant(sends.sender(session), "transactional", 60, is_connected=False)
    agenda.claim_queued(session, claimant, limit=10, now=NOW + timedelta(hours=1))
