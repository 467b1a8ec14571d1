"""Confirmations: the contact, its consent, its campaign; once, also for two at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from engine.audience import contacts, suppressions
from engine.forms import consents, forms
from models.session import transaction
from tests import mails as rows
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.sends import NOW


def the_contact() -> contacts.View:
    with transaction() as session:
        contact_id = contacts.find(session, ADDRESS)
        assert contact_id is not None
        return contacts.view(session, contact_id)


def test_a_confirmation_makes_the_contact_with_its_values_and_enrolls_it(ledger: str) -> None:
    with transaction() as session:
        campaign_id = rows.campaign(session)
        form = signups.create(session, campaign_id=str(campaign_id))
    signups.submit(form, size="1-10", utm_source="blog")
    situation, is_new = signups.confirm()
    assert (situation.state, is_new) == ("confirmed", True)
    view = the_contact()
    assert (view.first_name, view.locale, view.listed_at is not None) == ("Ana", "es", True)
    assert view.attributes == {"size": "1-10", "utm_source": "blog", "source": "guia"}
    with transaction() as session:
        assert session.scalars(text("SELECT contact_id FROM enrollments")).all() == [view.id]
        address, fields = session.execute(text("SELECT address, fields FROM form_submissions")).one()
    assert (address, fields) == (None, None)


def test_the_consent_says_when_where_and_to_which_text(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form)
    with transaction() as session:  # the person agreed to the text before
        changed = signups.definition(consent={"es": "Otro texto.", "en": "Another text."})
        forms.change(session, "guia", changed, services=signups.services(), now=NOW)
    signups.confirm()
    with transaction() as session:
        [consent] = consents.of(session, the_contact().id)
        assert session.scalars(text("SELECT version FROM consent_texts ORDER BY 1")).all() == [1, 2]
    assert (consent.form, consent.text, consent.version) == ("guia", "Acepto recibir correos.", 1)
    assert (consent.submitted_at, consent.confirmed_at) == (NOW, NOW + timedelta(minutes=1))
    assert consent.digest is not None and len(consent.digest) == 64


def test_confirming_again_and_twice_at_once_changes_nothing(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session, notify=["jefa@ronda.example"])
    signups.submit(form)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: signups.confirm(), range(4)))
    assert sorted(is_new for _, is_new in results) == [False, False, False, True]
    assert {situation.state for situation, _ in results} == {"confirmed"}
    assert [mail["template"] for mail in signups.emails()] == ["confirmation_es", "signup_notice"]


@pytest.mark.parametrize(
    ("reason", "remains"),
    [("unsubscribed", []), ("complaint", ["complaint"]), ("hard_bounce", ["hard_bounce"]), ("manual", ["manual"])],
)
def test_a_confirmation_lifts_the_own_unsubscription_only(ledger: str, reason: str, remains: list[str]) -> None:
    with transaction() as session:
        campaign_id = rows.campaign(session)
        form = signups.create(session, campaign_id=str(campaign_id))
        contacts.upsert(session, [contacts.Draft(ADDRESS, first_name="Ana")], now=NOW - timedelta(days=9))
        suppressions.add_addresses(session, [ADDRESS], reason, now=NOW - timedelta(days=8))
        session.execute(text("UPDATE contacts SET email_followup_status = :status"), {"status": "unsubscribed"})
    signups.submit(form)
    signups.confirm()
    with transaction() as session:
        query = "SELECT reason FROM suppressions s JOIN contacts c USING (email_index) WHERE NOT is_recipient"
        assert session.scalars(text(query)).all() == remains
        state = session.scalar(text("SELECT state FROM enrollments"))
    assert state == ("stopped" if remains else "active")
    assert the_contact().followup_status == ("unsubscribed" if remains else "new")


def test_an_expired_confirmation_makes_no_contact(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form)
    assert signups.confirm(NOW + timedelta(days=7))[0].state == "expired"
    with transaction() as session:
        assert contacts.find(session, ADDRESS) is None


def test_a_form_without_double_opt_in_makes_the_contact_at_once_and_lifts_nothing(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session, double_opt_in=False)
        suppressions.add_addresses(session, [ADDRESS], "unsubscribed", now=NOW)
    signups.submit(form)
    assert the_contact().first_name == "Ana" and signups.emails() == []
    with transaction() as session:
        assert session.scalars(text("SELECT reason FROM suppressions")).all() == ["unsubscribed"]


def test_a_form_without_double_opt_in_changes_nothing_that_a_contact_has(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session, double_opt_in=False)
        contact = contacts.Draft(ADDRESS, first_name="Berta", locale="en", attributes={"size": "11-50"})
        contacts.upsert(session, [contact], now=NOW)
    signups.submit(form, size="1-10", utm_source="blog")
    view = the_contact()
    assert (view.first_name, view.locale) == ("Berta", "en")
    assert view.attributes == {"size": "11-50", "utm_source": "blog", "source": "guia"}


def test_a_sign_up_counts_though_its_campaign_was_cancelled(ledger: str, caplog: pytest.LogCaptureFixture) -> None:
    with transaction() as session:
        campaign_id = rows.campaign(session)
        form = signups.create(session, campaign_id=str(campaign_id))
        session.execute(text("UPDATE campaigns SET state = 'cancelled'"))
    signups.submit(form)
    situation, is_new = signups.confirm()
    assert (situation.state, is_new, the_contact().first_name) == ("confirmed", True, "Ana")
    assert f"form_enrolls_in_no_campaign form=guia campaign={campaign_id}" in caplog.text


def test_a_notice_escapes_what_was_submitted(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session, notify=["jefa@ronda.example"])
    signups.submit(form, first_name="<script>{{ 7*7 }}")
    signups.confirm()
    mail = signups.emails()[-1]
    assert (mail["email"], mail["is_recipient"]) == ("jefa@ronda.example", True)
    html = signups.render()
    assert "&lt;script&gt;{{ 7*7 }}" in html and "<script>" not in html and ADDRESS in html
