"""A test is sent as any e-mail and accounted for, marked, and without any effect on its contact or the counts."""

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import contacts, suppressions
from engine.campaigns import advance, agenda, campaigns
from engine.delivery import audit, recovery, settle
from engine.delivery.claim import Claimant, ClaimedEmail
from engine.delivery.outcomes import Outcome, Phase, Rejected, Sent
from engine.delivery.settle import OpenGroup
from engine.messages import compose
from engine.previews import sends
from engine.templates.templates import Template
from engine.tracking import tokens
from engine.tracking.events import IncomingEvent
from errors import InvalidInput
from models import Contact, Email, EmailStats
from tests import sends as queued
from tests import sequence
from tests.engine.engagement.applying import happen
from tests.mails import NOW

LINK = "https://calendly.example/ventas"
VARIABLES = {"nombre": "Ana", "industria": "", "link_calendly": LINK}
DEAD = Rejected(Phase.RCPT, 550, "5.1.1", "550 5.1.1 no such user", dead_address=True)


def _send(session: Session, *to: str) -> list[UUID]:
    return sends.send(session, _template(), to or ("ana@empresa.example",), VARIABLES, now=NOW)


def _template() -> Template:
    return sequence.library().get("email_1_roi")


def _claimed(session: Session) -> tuple[OpenGroup, list[ClaimedEmail]]:
    claimant = Claimant(queued.sender(session), "transactional", 60, is_connected=True)
    group = agenda.claim_queued(session, claimant, limit=10, now=NOW)
    assert group is not None
    return OpenGroup(group.id, relay="relay"), list(group.emails)


def _settle(session: Session, outcome: Outcome) -> None:
    group, claimed = _claimed(session)
    advance.apply(session, settle.settle(session, group, [(each, outcome) for each in claimed], now=NOW), now=NOW)


def _composed(session: Session) -> EmailMessage:
    _, [claimed] = _claimed(session)
    signer = tokens.Signer([b"a tracking key of the tests"])
    sender = compose.From("Lucía <l@cadencia.example>", None, "https://us.example")
    composer = compose.Composer(sequence.library(), signer, sender)
    parsed = email.message_from_bytes(
        composer.compose(claimed, now=NOW, eight_bit=True).data, policy=email.policy.SMTP.clone(raise_on_defect=True)
    )
    assert isinstance(parsed, EmailMessage)
    return parsed


def _contact(session: Session, address: str = "ana@empresa.example") -> Contact:
    session.expire_all()
    return session.get_one(Contact, contacts.find(session, address))


def test_it_is_marked_and_has_no_tracking_and_no_unsubscribe_button(session: Session) -> None:
    _send(session)
    message = _composed(session)
    assert message["Subject"].startswith("[Prueba] ") and message["List-Unsubscribe"] is None
    for kind in ("html", "plain"):
        body = message.get_body((kind,))
        assert body is not None
        content = body.get_content()
        assert "https://us.example/u/test" in content and "/c/" not in content and "/o/" not in content
        assert LINK in content


def test_it_is_sent_and_in_no_count_or_flag(session: Session) -> None:
    [email_id] = _send(session)
    _settle(session, Sent("250 2.0.0 queued"))
    [shown] = sends.statuses(session, "email_1_roi", [email_id])
    assert (shown.status, shown.to, shown.response) == ("sent", "ana@empresa.example", "250 2.0.0 queued")
    person = _contact(session)
    assert (person.listed_at, person.email_1_sent, person.email_followup_status) == (None, False, "new")
    assert session.scalars(select(EmailStats)).all() == [] and audit.read(session).is_clean


def test_its_bounce_changes_no_contact(session: Session) -> None:
    [email_id] = _send(session)
    _settle(session, DEAD)
    [shown] = sends.statuses(session, "email_1_roi", [email_id])
    assert (shown.status, shown.reason, shown.response) == ("failed", "hard_bounce", DEAD.response)
    person = _contact(session)
    assert person.email_followup_status == "new" and suppressions.suppressed(session, [person.id]) == {}
    assert session.scalars(select(EmailStats)).all() == [] and audit.read(session).is_clean


@pytest.mark.parametrize("kind", ["opened", "clicked", "converted", "replied", "bounced"])
def test_its_events_stop_no_sequence_and_count_nowhere(session: Session, kind: str) -> None:
    [email_id] = _send(session)
    _settle(session, Sent("250 2.0.0 queued"))
    person = _contact(session)
    campaign_id = sequence.create(session)
    enrolled = "INSERT INTO enrollments (contact_id, campaign_id, next_at) VALUES (:contact, :campaign, :at)"
    session.execute(text(enrolled), {"contact": person.id, "campaign": campaign_id, "at": NOW})
    detail = {"hard": True} if kind == "bounced" else {}
    happen(session, IncomingEvent(email_id, kind, NOW, detail, "human"))
    assert getattr(session.get_one(Email, email_id), f"{kind}_at") == NOW
    person = _contact(session)
    assert (person.email_followup_status, person.converted, person.score) == ("new", False, 0)
    assert session.scalar(text("SELECT state FROM enrollments")) == "active"
    assert session.scalars(select(EmailStats)).all() == []
    assert suppressions.suppressed(session, [person.id]) == {}
    assert [str(finding) for finding in audit.read(session).findings] == []


@pytest.mark.parametrize(("kind", "reason"), [("complained", "complaint"), ("unsubscribed", "unsubscribed")])
def test_a_decision_of_its_reader_is_respected(session: Session, kind: str, reason: str) -> None:
    [email_id] = _send(session)
    _settle(session, Sent("250 2.0.0 queued"))
    happen(session, IncomingEvent(email_id, kind, NOW, {}, "human"))
    person = _contact(session)
    assert suppressions.suppressed(session, [person.id]) == {person.id: reason}


@pytest.mark.parametrize(("reason", "words"), [("complaint", "complained"), ("hard_bounce", "does not exist")])
def test_a_dead_address_and_one_that_complained_are_refused_with_the_reason(
    session: Session, reason: str, words: str
) -> None:
    suppressions.add_addresses(session, ["bea@empresa.example"], reason, now=NOW)
    with pytest.raises(InvalidInput) as refused:
        _send(session, "ana@empresa.example", "bea@empresa.example", "no address")
    assert [fault.field for fault in refused.value.faults] == ["to[1]", "to[2]"]
    with pytest.raises(InvalidInput, match=words) as refused:
        _send(session, "ana@empresa.example", "bea@empresa.example")
    assert [fault.field for fault in refused.value.faults] == ["to[1]"] and "bea" not in str(refused.value)
    assert session.scalars(select(Email)).all() == []


def test_a_complaint_after_it_was_queued_cancels_it(session: Session) -> None:
    [email_id] = _send(session)
    suppressions.add_addresses(session, ["ana@empresa.example"], "complaint", now=NOW)
    assert _claimed(session)[1] == []
    [shown] = sends.statuses(session, "email_1_roi", [email_id])
    assert (shown.status, shown.reason) == ("cancelled", "complained")


def test_who_unsubscribed_or_pauses_may_test(session: Session) -> None:
    suppressions.add_addresses(session, ["ana@empresa.example"], "unsubscribed", now=NOW)
    _send(session)
    session.execute(text("UPDATE contacts SET paused_until = :until"), {"until": NOW + timedelta(days=9)})
    assert len(_claimed(session)[1]) == 1


def test_at_most_five_addresses_get_one_each(session: Session) -> None:
    assert len(_send(session, *["ana@empresa.example"] * 2, "bea@empresa.example")) == 2
    for to in ([], ["ana@empresa.example"] * 6):
        with pytest.raises(InvalidInput, match="give 1 to 5 addresses"):
            sends.send(session, _template(), to, VARIABLES, now=NOW)


def test_variables_that_the_template_lacks_refuse_it(session: Session) -> None:
    with pytest.raises(InvalidInput, match="link_calendly: is missing"):
        sends.send(session, _template(), ["ana@empresa.example"], {"nombre": "Ana", "industria": ""}, now=NOW)


def test_a_contact_that_got_a_test_counts_as_one_who_received_nothing(session: Session) -> None:
    _send(session)
    _settle(session, Sent("250 2.0.0 queued"))
    sequence.people(session, 1)
    contacts.set_listed(session, [_contact(session).id], True, now=NOW)
    campaign_id = sequence.create(session)
    campaigns.launch(session, campaign_id, now=NOW, skips_received=True)
    assert session.scalars(text("SELECT DISTINCT state FROM enrollments")).all() == ["active"]


def test_a_test_of_a_dead_sender_is_recovered_without_a_count(session: Session) -> None:
    [email_id] = _send(session)
    sender_id = queued.sender(session)
    claimant = Claimant(sender_id, "transactional", 60, is_connected=True)
    agenda.claim_queued(session, claimant, limit=10, now=NOW)
    settled = recovery.recover(session, sender_id, None, now=NOW, moment=lambda _: NOW)
    advance.apply(session, settled, now=NOW)
    assert [(each.status, each.kind) for each in settled] == [("in_doubt", "test")]
    happen(session, IncomingEvent(email_id, "replied", NOW, {}, "human"))
    assert session.get_one(Email, email_id).status == "sent" and session.scalars(select(EmailStats)).all() == []
    assert _contact(session).email_followup_status == "new"
