"""Upkeep of submissions: one reminder, expiry, and erasure of data that nothing needs any more."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from engine.audience import suppressions
from engine.delivery import audit
from engine.forms import counts, forms, pending
from models import vault
from models.session import retrying, transaction
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.sends import NOW

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def submitted(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form)


def proceed(now: datetime) -> int:
    return pending.proceed(retrying, services=signups.services(), now=now)


def test_a_pending_submission_gets_one_reminder_after_a_day() -> None:
    assert [proceed(NOW + after) for after in (DAY / 2, DAY, DAY, 2 * DAY)] == [0, 1, 0, 0]
    assert len(signups.emails()) == 2
    assert signups.variables()[-1]["is_reminder"] == "yes"
    assert "9 de marzo" in signups.variables()[-1]["until"]


def test_a_confirmed_submission_gets_no_reminder() -> None:
    signups.confirm()
    assert proceed(NOW + DAY) == 0


def test_after_seven_days_nothing_personal_is_left_of_an_unconfirmed_submission() -> None:
    with transaction() as session:
        session.execute(text("UPDATE form_submissions SET network = 'other'"))
    proceed(NOW + 8 * DAY)
    with transaction() as session:
        row = session.execute(text("SELECT state, address, fields, email_index, network FROM form_submissions")).one()
        assert tuple(row) == ("expired", None, None, None, None)
        recipient = session.execute(text("SELECT * FROM contacts")).one()
        assert vault.current().decrypt(recipient.email) == "" and recipient.erased_at is not None
        status, variables = session.execute(text("SELECT status, variables FROM emails")).one()
    assert status == "cancelled"
    assert variables is None or "link_confirm" not in vault.current().decrypt(variables)
    proceed(NOW + 9 * DAY)  # safe to repeat


def test_of_recipients_that_were_erased_long_ago_only_the_emails_stay() -> None:
    with transaction() as session:
        signups.submit(forms.by_slug(session, "guia"), "eva@empresa.example")
        session.execute(text("UPDATE emails SET status = 'sent', sent_at = :now"), {"now": NOW})
    proceed(NOW + 8 * DAY)
    with transaction() as session:
        findings = audit.read(session).findings  # the counts, as no sender sent
    for after in (pending.KEPT_FOR, 2 * pending.KEPT_FOR):
        proceed(NOW + 9 * DAY + after)
        with transaction() as session:
            [nobody] = session.execute(text("SELECT id, is_recipient, erased_at FROM contacts")).all()
            assert nobody.is_recipient and nobody.erased_at
            assert session.scalars(text("SELECT contact_id FROM emails")).all() == [nobody.id] * 2
            assert session.scalars(text("SELECT reason FROM suppressions")).all() == ["erased"]
            assert audit.read(session).findings == findings


def test_a_submission_that_expired_long_ago_is_only_counted() -> None:
    proceed(NOW + 8 * DAY)
    proceed(NOW + pending.KEPT_FOR)
    number = text("SELECT count(*) FROM form_submissions")
    with transaction() as session:
        assert session.scalar(number) == 1
    proceed(NOW + pending.KEPT_FOR + DAY)
    with transaction() as session:
        assert session.scalar(number) == 0
        form_id = forms.by_slug(session, "guia").id
        assert counts.states(session, form_id) == {"pending": 0, "confirmed": 0, "expired": 1}


def test_a_bounce_of_the_mail_is_kept_for_the_address() -> None:
    with transaction() as session:
        session.execute(text("UPDATE emails SET status = 'bounced'"))
        [(recipient, email_id)] = session.execute(text("SELECT contact_id, id FROM emails"))
        suppressions.add(session, [recipient], "hard_bounce", now=NOW, email_id=email_id)
    proceed(NOW + 8 * DAY)
    with transaction() as session:
        suppression = suppressions.of_index(session, vault.current().blind_index(ADDRESS))
    assert suppression is not None and suppression.reason == "hard_bounce"


def test_a_mail_in_flight_keeps_its_recipient_until_it_is_settled() -> None:
    with transaction() as session:
        session.execute(text("UPDATE emails SET status = 'sending'"))
    proceed(NOW + 8 * DAY)
    assert [mail["email"] for mail in signups.emails()] == [ADDRESS]


def test_a_submission_that_cannot_be_read_does_not_stop_the_reminder_of_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with transaction() as session:
        broken = vault.current().encrypt("no JSON")
        session.execute(text("UPDATE form_submissions SET fields = :broken"), {"broken": broken})
        form = forms.by_slug(session, "guia")
    signups.submit(form, "luis@empresa.example", now=NOW + timedelta(minutes=1))
    assert proceed(NOW + 2 * DAY) == 1
    assert signups.emails()[-1]["email"] == "luis@empresa.example"
    assert "form_reminder_failed" in caplog.text


def test_more_submissions_than_a_page_expire_in_one_run() -> None:
    copies = """INSERT INTO form_submissions (id, form_id, email_index, address, fields, language, submitted_at)
                SELECT gen_random_uuid(), form_id, sha256(n::text::bytea), address, fields, language, submitted_at
                  FROM form_submissions, generate_series(1, :number) n"""
    with transaction() as session:
        session.execute(text(copies), {"number": 2 * pending.PAGE})
    proceed(NOW + 8 * DAY)
    with transaction() as session:
        query = "SELECT DISTINCT state, email_index FROM form_submissions"
        assert [tuple(row) for row in session.execute(text(query))] == [("expired", None)]
