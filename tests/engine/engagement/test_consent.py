"""Consent changes take effect at once, also for queued and due e-mails."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import agenda, campaigns, explain
from engine.delivery import audit
from engine.delivery.claim import Claimant
from engine.engagement import consent, reactions
from tests import sends, sequence
from tests.sequence import NOW

SOON = NOW + timedelta(minutes=1)
PAST = NOW + consent.PAUSE + timedelta(minutes=1)


def _launched(session: Session) -> UUID:
    (contact_id,) = sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session), now=NOW)
    return contact_id


def _single(session: Session, **changes: Any) -> UUID:
    (email_id,) = sends.queue(session, now=NOW, **changes)
    return email_id


def _taken(session: Session, lane: str = "transactional") -> list[UUID]:
    claimant = Claimant(sends.sender(session), lane, 60, is_connected=True)
    group = agenda.claim_queued(session, claimant, limit=100, now=SOON)
    return [email.email_id for email in group.emails] if group else []


def _mail(session: Session, email_id: UUID) -> tuple[object, ...]:
    return tuple(session.execute(text("SELECT status, reason FROM emails WHERE id = :id"), {"id": email_id}).one())


def _withdraw(session: Session, email_id: UUID) -> None:
    consent.apply(session, consent.change("unsubscribed", email_id, now=SOON, one_click=True))


def _suppress(session: Session, email_id: UUID) -> None:
    """Only suppress the contact: the claim must check it."""
    session.execute(
        text("INSERT INTO suppressions (email_index, reason) SELECT email_index, 'unsubscribed' FROM contacts")
    )


@pytest.mark.parametrize("stop", [_withdraw, _suppress])
def test_a_queued_single_email_is_not_sent_after_an_unsubscribe(
    session: Session, stop: Callable[[Session, UUID], None]
) -> None:
    email_id = _single(session)
    stop(session, email_id)
    assert _taken(session) == []
    assert _mail(session, email_id) == ("cancelled", "unsubscribed")


@pytest.mark.parametrize("stop", [_withdraw, _suppress])
def test_a_deferred_campaign_email_is_not_sent_after_an_unsubscribe(
    session: Session, stop: Callable[[Session, UUID], None]
) -> None:
    _launched(session)
    (deferred,) = sequence.send_due(session, sequence.DEFERRED, now=NOW)
    stop(session, deferred.email_id)
    assert sequence.mails(sequence.take(session, now=NOW + timedelta(days=2))) == []
    assert _mail(session, deferred.email_id)[0] == "cancelled"
    assert _mail(session, deferred.email_id)[1] == "unsubscribed"


@pytest.mark.parametrize("stop", [_withdraw, _suppress])
def test_a_due_step_is_not_sent_after_an_unsubscribe(session: Session, stop: Callable[[Session, UUID], None]) -> None:
    contact_id = _launched(session)
    (first,) = sequence.send_due(session, now=NOW)
    stop(session, first.email_id)
    assert sequence.mails(sequence.take(session, now=PAST)) == []
    (journey,) = explain.why(session, contact_id, now=PAST)
    assert journey.stop_reason == "unsubscribed"


def test_a_pause_delays_queued_marketing_emails_and_no_transactional_ones(session: Session) -> None:
    marketing, transactional = _single(session), _single(session, kind="transactional")
    consent.apply(session, consent.change("paused", marketing, now=NOW))
    assert _taken(session) == [transactional]
    assert _mail(session, marketing) == ("queued", "paused")
    assert session.scalar(text("SELECT due_at FROM emails WHERE id = :id"), {"id": marketing}) == NOW + consent.PAUSE
    assert audit.read(session).findings == ()


def test_a_suppression_wins_over_a_pause(session: Session) -> None:
    email_id = _single(session)
    consent.apply(session, consent.change("paused", email_id, now=NOW))
    _suppress(session, email_id)
    assert _taken(session) == []
    assert _mail(session, email_id) == ("cancelled", "unsubscribed")


def test_a_sequence_continues_after_a_pause(session: Session) -> None:
    contact_id = _launched(session)
    (first,) = sequence.send_due(session, now=NOW)
    consent.apply(session, consent.change("paused", first.email_id, now=SOON))
    assert sequence.mails(sequence.take(session, now=NOW + timedelta(days=4))) == []
    (journey,) = explain.why(session, contact_id, now=NOW + timedelta(days=4))
    assert journey.sentence == (
        "1 e-mail was sent; step 2 waits because e-mails to the contact are paused until 2026-12-02 09:01 UTC."
    )
    assert journey.next_at == SOON + consent.PAUSE
    assert [mail.step for mail in sequence.send_due(session, now=PAST)] == [2]
    assert [mail.step for mail in sequence.send_due(session, now=PAST + timedelta(days=5))] == [3]
    assert session.scalar(text("SELECT state FROM enrollments")) == "finished"


def test_a_deferred_email_waits_for_the_end_of_the_pause_and_is_sent_once(session: Session) -> None:
    _launched(session)
    (deferred,) = sequence.send_due(session, sequence.DEFERRED, now=NOW)
    consent.apply(session, consent.change("paused", deferred.email_id, now=SOON))
    assert sequence.mails(sequence.take(session, now=NOW + timedelta(days=1))) == []
    (sent,) = sequence.send_due(session, now=PAST)
    assert (sent.email_id, _mail(session, sent.email_id)) == (deferred.email_id, ("sent", None))


def test_a_pause_is_not_extended_and_can_be_ended(session: Session) -> None:
    _launched(session)
    (first,) = sequence.send_due(session, now=NOW)
    single = _single(session, to="contacto0@empresa.example")
    for moment in (SOON, SOON + timedelta(days=4)):
        consent.apply(session, consent.change("paused", first.email_id, now=moment))
    assert session.scalar(text("SELECT paused_until FROM contacts")) == SOON + consent.PAUSE
    later = NOW + timedelta(days=5)
    assert _taken(session) == [] and sequence.mails(sequence.take(session, now=later)) == []
    for _ in range(2):
        consent.apply(session, consent.change("resumed", first.email_id, now=later))
    assert sorted(mail.email_id for mail in sequence.send_due(session, now=later) if mail.step == 2)
    assert _mail(session, single)[0] == "queued"  # of the other lane
    assert session.scalar(text("SELECT due_at FROM emails WHERE id = :id"), {"id": single}) == later


A, B, C = (SOON + timedelta(minutes=minutes) for minutes in range(3))


@pytest.mark.parametrize(
    ("words", "reasons", "pauses"),
    [
        ([("unsubscribed", B), ("resubscribed", A)], ["unsubscribed"], False),
        ([("resubscribed", B), ("unsubscribed", A)], [], False),
        ([("unsubscribed", C), ("unsubscribed", A), ("resubscribed", B)], ["unsubscribed"], False),
        ([("resumed", B), ("paused", A)], [], False),
        ([("paused", C), ("resumed", B), ("paused", A)], [], True),
        ([("paused", B), ("unsubscribed", A)], ["unsubscribed"], True),
        ([("resumed", B), ("unsubscribed", A)], ["unsubscribed"], False),
    ],
)
def test_a_late_consent_change_does_not_override_a_later_one(
    session: Session, words: list[tuple[str, datetime]], reasons: list[str], pauses: bool
) -> None:
    """In any order; a pause and an unsubscribe are different subjects."""
    email_id = _single(session)
    for kind, said_at in words:
        consent.apply_pending(session, consent.change(kind, email_id, now=said_at))
    reactions.apply(session, now=C)
    assert list(session.scalars(text("SELECT reason FROM suppressions"))) == reasons
    assert session.scalar(text("SELECT coalesce(paused_until > :now, false) FROM contacts"), {"now": C}) == pauses


def test_a_change_made_now_is_applied_whatever_another_hosts_clock_says(session: Session) -> None:
    email_id = _single(session)
    consent.apply(session, consent.change("unsubscribed", email_id, now=B))
    consent.apply(session, consent.change("resubscribed", email_id, now=A))
    assert session.scalar(text("SELECT count(*) FROM suppressions")) == 0


def test_an_undo_from_another_email_of_the_contact_counts_too(session: Session) -> None:
    first, second = _single(session), _single(session)
    consent.apply(session, consent.change("unsubscribed", first, now=A))
    consent.apply(session, consent.change("resubscribed", second, now=B))
    reactions.apply(session, now=C)
    assert session.scalar(text("SELECT count(*) FROM suppressions")) == 0
