"""The campaign of a form: launched before anybody signed up, open while the form is, and gone without harm."""

from uuid import UUID

import pytest
from sqlalchemy import text

from engine.audience import segments
from engine.campaigns import campaigns, enrollments
from engine.campaigns.drafting import drafts
from engine.campaigns.reports import preflight
from engine.forms import forms
from engine.forms.forms import StoredForm
from errors import Conflict, InvalidInput
from models.session import transaction
from tests import sequence
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.sends import NOW


def mailed_by_launch(form: StoredForm, campaign_id: UUID) -> tuple[int, int]:
    """One person signs up for the draft, the form is disabled, the draft launched: those announced, those mailed."""
    signups.submit(form)
    signups.confirm()
    with transaction() as session:
        forms.set_active(session, "guia", False, now=NOW)
        announced = preflight.of(session, campaign_id, now=signups.CONFIRMED_AT).mailed
        campaigns.launch(session, campaign_id, now=signups.CONFIRMED_AT)
        return announced, len(sequence.send_due(session, now=signups.CONFIRMED_AT))


def test_a_campaign_is_launched_for_those_who_will_sign_up_and_stays_open(ledger: str) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session)
    with pytest.raises(Conflict, match="it has no contact"), transaction() as session:
        campaigns.launch(session, campaign_id, now=NOW)
    with transaction() as session:
        form = signups.create(session, campaign_id=str(campaign_id))
        report = preflight.of(session, campaign_id, now=NOW)
        assert (report.enrolled, report.forms) == (0, ("guia",))
        assert preflight.facts(report)[-1] == "Those who confirm the form guia enter from then on."
        assert campaigns.launch(session, campaign_id, now=NOW).total == 0
    with transaction() as session:
        assert campaigns.finish(session, now=NOW) == []
    signups.submit(form)
    signups.confirm()
    with transaction() as session:
        assert len(sequence.mails(sequence.take(session, now=signups.CONFIRMED_AT))) == 1
        forms.set_active(session, "guia", False, now=NOW)
        session.execute(text("UPDATE enrollments SET state = 'stopped', stop_reason = 'converted', next_at = NULL"))
    with transaction() as session:
        assert campaigns.finish(session, now=NOW) == [campaign_id]


def test_a_campaign_only_for_sign_ups_reaches_nobody_of_the_list(ledger: str) -> None:
    with transaction() as session:
        sequence.people(session, 3)
        campaign_id = sequence.create(session, audience={"only_sign_ups": True})
        assert enrollments.enroll(session, campaign_id, now=NOW).total == 0
    with pytest.raises(Conflict, match="only those who sign up, and no open form"), transaction() as session:
        campaigns.launch(session, campaign_id, now=NOW)
    with transaction() as session:
        signups.create(session, campaign_id=str(campaign_id))
        assert preflight.of(session, campaign_id, now=NOW).enrolled == 0
        assert campaigns.launch(session, campaign_id, now=NOW).total == 0


def test_a_draft_is_kept_to_sign_ups_before_its_launch(ledger: str) -> None:
    with transaction() as session:
        sequence.people(session, 3)
        campaign_id = sequence.create(session)
        signups.create(session, campaign_id=str(campaign_id))
        assert preflight.of(session, campaign_id, now=NOW).enrolled == 3
        drafts.keep_to_sign_ups(session, campaign_id)
        assert campaigns.launch(session, campaign_id, now=NOW).total == 0
    with pytest.raises(Conflict, match="only a draft one"), transaction() as session:
        drafts.keep_to_sign_ups(session, campaign_id)


def test_a_launch_enrolls_the_audience_beside_those_who_signed_up_for_the_draft(ledger: str) -> None:
    with transaction() as session:
        listed = sequence.people(session, 3)
        campaign_id = sequence.create(session)
        form = signups.create(session, campaign_id=str(campaign_id))
    assert mailed_by_launch(form, campaign_id) == (4, 4)
    with transaction() as session:
        chosen = sequence.create(session, "Elegidos")
        enrollments.enroll(session, chosen, contact_ids=listed[:1], now=NOW)
        assert preflight.of(session, chosen, now=NOW).enrolled == 1
        campaigns.launch(session, chosen, now=NOW)
        assert [each.contact_id for each in sequence.send_due(session, now=NOW)] == listed[:1]


def test_those_who_signed_up_for_a_draft_without_an_audience_are_enough_to_launch_it(ledger: str) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session, audience={"only_sign_ups": True})
        form = signups.create(session, campaign_id=str(campaign_id))
    assert mailed_by_launch(form, campaign_id) == (1, 1)


@pytest.mark.parametrize("audience", [{"only_sign_ups": False}, {"only_sign_ups": True, "industry": ["Banca"]}])
def test_only_sign_ups_stands_alone(audience: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"audience\.only_sign_ups: (give true|stands alone)"):
        segments.read(audience)


def test_a_confirmation_counts_although_its_campaign_was_deleted(ledger: str, caplog: pytest.LogCaptureFixture) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session)
        form = signups.create(session, campaign_id=str(campaign_id))
        forms.set_active(session, "guia", False, now=NOW)
        drafts.remove(session, campaign_id)
    signups.submit(form)
    situation, is_new = signups.confirm()
    assert (situation.state, is_new) == ("confirmed", True)
    assert "form_enrolls_in_no_campaign form=guia" in caplog.text and ADDRESS not in caplog.text


def test_a_draft_that_an_open_form_feeds_is_not_deleted(ledger: str) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session)
        signups.create(session, campaign_id=str(campaign_id))
    with pytest.raises(Conflict, match="the form guia enrolls people in it"), transaction() as session:
        drafts.remove(session, campaign_id)
