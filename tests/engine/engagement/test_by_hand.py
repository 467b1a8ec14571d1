"""Suppressing, releasing and erasing by hand."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts, suppressions
from engine.campaigns import campaigns, explain
from engine.delivery import audit, outbox
from engine.engagement import by_hand, consent, reactions
from engine.tracking import events, retention
from engine.tracking.events import IncomingEvent
from errors import Conflict, NotFound
from models import vault
from models.session import transaction
from tests import sequence
from tests.sequence import NOW

ADDRESS = "contacto0@empresa.example"


@pytest.fixture
def contact(session: Session) -> UUID:
    """A contact in a running campaign, who got its first e-mail."""
    (contact_id,) = sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session), now=NOW)
    sequence.send_due(session, now=NOW)
    return contact_id


def findings(session: Session) -> list[str]:
    """Commit, and return what the audit finds; it needs a transaction of its own."""
    session.connection().connection.commit()
    with transaction() as auditing:
        return [str(finding) for finding in audit.run(auditing).findings]


def remaining(session: Session) -> str | None:
    suppression = suppressions.of_index(session, vault.current().blind_index(ADDRESS))
    return suppression and suppression.reason


def test_a_suppression_by_hand_stops_and_is_released_again(session: Session, contact: UUID) -> None:
    person = by_hand.by_address(session, ADDRESS)
    assert person.contact_id == contact
    assert [by_hand.suppress(session, person, now=NOW) for _ in range(2)] == [1, 0]
    assert remaining(session) == "manual"
    assert "the address was suppressed by hand" in explain.why(session, contact, now=NOW)[0].sentence
    assert by_hand.release(session, by_hand.by_id(session, contact), now=NOW) is None
    assert remaining(session) is None
    with pytest.raises(NotFound, match="has none"):
        by_hand.release(session, person, now=NOW)


def test_an_address_that_is_no_contact_is_suppressed_before_it_is_imported(session: Session) -> None:
    assert by_hand.suppress(session, by_hand.by_address(session, "nadie@empresa.example"), now=NOW) == 0
    contacts.upsert(session, [contacts.Draft("Nadie@empresa.example")], now=NOW)
    assert suppressions.among(session, ["nadie@empresa.example"]) == 1


@pytest.mark.parametrize("reason", ["unsubscribed", "hard_bounce", "complaint"])
def test_another_reason_is_released_only_by_its_name(session: Session, contact: UUID, reason: str) -> None:
    suppressions.add(session, [contact], reason, now=NOW)
    person = by_hand.by_id(session, contact)
    for even in (None, "complaint" if reason == "unsubscribed" else "unsubscribed"):
        with pytest.raises(Conflict, match=f"suppression: {reason}, .* 2026-11-02.* nevertheless: {reason}"):
            by_hand.release(session, person, even=even, now=NOW)
    assert by_hand.release(session, person, even=reason, now=NOW) is None


def test_an_unsubscription_remains_behind_a_suppression_by_hand(session: Session, contact: UUID) -> None:
    person = by_hand.by_id(session, contact)
    for reasons in (("unsubscribed", "manual"), ("manual", "unsubscribed")):
        for reason in reasons:
            suppressions.add(session, [contact], reason, now=NOW)
        assert remaining(session) == "manual"
        assert by_hand.release(session, person, now=NOW) == "unsubscribed"
    suppressions.add(session, [contact], "manual", now=NOW)
    assert not suppressions.lift(session, contact)  # the person's own resubscription
    assert by_hand.release(session, person, now=NOW) is None


def test_a_dead_address_that_was_released_is_no_finding_of_the_audit(session: Session, contact: UUID) -> None:
    session.execute(text("UPDATE emails SET status = 'bounced', bounced_at = sent_at"))
    session.execute(text("UPDATE contacts SET email_followup_status = 'bounced'"))
    suppressions.add(session, [contact], "hard_bounce", now=NOW)
    assert [finding for finding in findings(session) if "suppressed" in finding] == []
    suppressions.lift(session, contact, reasons=["hard_bounce"])
    assert len([finding for finding in findings(session) if "not suppressed" in finding]) == 1
    suppressions.add(session, [contact], "hard_bounce", now=NOW)
    by_hand.release(session, by_hand.by_id(session, contact), even="hard_bounce", now=NOW)
    assert contacts.view(session, contact).followup_status == "email_1_sent"
    assert [finding for finding in findings(session) if "suppressed" in finding] == []


def test_erasing_leaves_the_counts_and_nothing_that_names_the_person(session: Session, contact: UUID) -> None:
    session.execute(
        text(
            "UPDATE contacts SET first_name = 'Ana', company = 'Acme', attributes = '{\"plan\": \"b\"}', locale = 'es'"
        )
    )
    for kind in ("marketing", "transactional"):
        outbox.add(session, [outbox.SendRequest(ADDRESS, "email_1_roi", "x", {"nombre": "Ana"}, kind)], now=NOW)
    sent = session.scalar(text("SELECT id FROM emails WHERE sent_at IS NOT NULL"))
    hit = events.prepare(IncomingEvent(sent, "opened", NOW, {"method": "GET", "agent": "curl"}, "human"), now=NOW)
    events.insert(session, {hit.dedupe_key: hit})
    by_hand.erase(session, contact, now=NOW)
    by_hand.erase(session, contact, now=NOW)
    view = contacts.view(session, contact)
    assert (view.email, view.first_name, view.company, view.attributes, view.locale) == (None, None, None, {}, None)
    assert (view.flags["email_1_sent"], view.listed_at, view.erased_at) == (True, None, NOW)
    assert session.scalars(text("SELECT DISTINCT event_data FROM events")).all() == [{}]
    rows = session.execute(text("SELECT status, reason, variables FROM emails ORDER BY status")).all()
    assert [tuple(row) for row in rows] == [("cancelled", "erased", None)] * 2 + [("sent", None, None)]
    assert session.scalar(text("SELECT count(*) FROM emails WHERE campaign_id IS NULL AND subject <> ''")) == 0
    assert contacts.find(session, ADDRESS) is None and remaining(session) == "manual"
    assert [finding for finding in findings(session) if "contact" in finding] == []


def test_an_erased_contact_gets_nothing_and_a_later_import_is_another_suppressed_contact(
    session: Session, contact: UUID
) -> None:
    by_hand.erase(session, contact, now=NOW)
    # An e-mail of any kind that is queued again, as after doubt, is not sent.
    session.execute(text("UPDATE emails SET status = 'queued', sent_at = NULL, kind = 'transactional'"))
    assert sequence.mails(sequence.take(session, now=NOW)) == []
    assert session.scalar(text("SELECT reason FROM emails")) == "erased"
    contacts.upsert(session, [contacts.Draft(ADDRESS)], now=NOW)
    other = contacts.find(session, ADDRESS)
    assert other not in (None, contact)
    assert remaining(session) == "manual"
    with pytest.raises(Conflict, match="its contact was erased"):
        by_hand.release(session, by_hand.by_id(session, contact), now=NOW)


def test_a_contact_is_not_erased_while_an_email_to_it_is_being_sent(session: Session) -> None:
    (contact_id,) = sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session), now=NOW)
    groups = sequence.take(session, now=NOW)
    with pytest.raises(Conflict, match="repeat in a minute"):
        by_hand.erase(session, contact_id, now=NOW)
    sequence.record(session, groups, now=NOW)
    by_hand.erase(session, contact_id, now=NOW)


@pytest.mark.parametrize(("kind", "source"), [("opened", "unknown"), ("converted", "machine")])
def test_events_after_the_erasure_lose_their_data_when_they_are_applied(
    session: Session, contact: UUID, kind: str, source: str
) -> None:
    by_hand.erase(session, contact, now=NOW)
    _insert_event(session, kind, source)
    assert reactions.apply(session, now=NOW) == 1
    [data] = session.scalars(text("SELECT event_data FROM events WHERE event_type = :kind"), {"kind": kind})
    assert data == {}


def test_events_that_are_applied_during_the_erasure_lose_their_data_in_the_upkeep(
    session: Session, contact: UUID
) -> None:
    assert retention.erase_late(session, now=NOW - timedelta(minutes=1)) == 0
    by_hand.erase(session, contact, now=NOW)
    _insert_event(session, "opened", "human")
    session.execute(text("UPDATE events SET applied_at = :now"), {"now": NOW})
    late = NOW + timedelta(days=3)  # no worker ran meanwhile
    assert [retention.erase_late(session, now=late) for _ in range(2)] == [1, 0]


def test_a_clock_that_was_set_back_hides_no_erasure_from_the_upkeep(session: Session, contact: UUID) -> None:
    retention.erase_late(session, now=NOW + timedelta(days=40))
    by_hand.erase(session, contact, now=NOW)
    _insert_event(session, "opened", "human")
    session.execute(text("UPDATE events SET applied_at = :now"), {"now": NOW})
    assert retention.erase_late(session, now=NOW + timedelta(minutes=10)) == 1


def _insert_event(session: Session, kind: str, source: str) -> None:
    """Insert an event of the only e-mail, made by a program."""
    sent = session.scalar(text("SELECT id FROM emails"))
    event = events.prepare(IncomingEvent(sent, kind, NOW, {"method": "GET", "agent": "curl"}, source), now=NOW)
    events.insert(session, {event.dedupe_key: event})


def test_unknown_contacts_are_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        by_hand.by_id(session, UUID(int=1))
    with pytest.raises(NotFound):
        by_hand.erase(session, UUID(int=1), now=NOW)


def test_a_pause_by_hand_moves_what_waits_and_ends_at_once(session: Session, contact: UUID) -> None:
    """A longer pause and a shorter one; an older request of the reader that arrives later changes nothing."""
    due = NOW + timedelta(days=3)
    asked = consent.change(
        "resumed", session.scalars(text("SELECT id FROM emails")).one(), now=NOW + timedelta(hours=1)
    )
    for days in (30, 60, 10):
        until = NOW + timedelta(days=days)
        by_hand.pause(session, contact, until=until, now=NOW + timedelta(days=2))
        consent.apply_pending(session, asked)
        assert contacts.view(session, contact).paused_until == until
        assert sequence.mails(sequence.take(session, now=due)) == []
        assert session.scalar(text("SELECT next_at FROM enrollments")) == until
    by_hand.pause(session, contact, until=due, now=due)
    assert [email.step for email in sequence.send_due(session, now=due)] == [2]


def test_a_pause_by_hand_needs_a_contact_and_leaves_an_erased_one(session: Session, contact: UUID) -> None:
    with pytest.raises(NotFound):
        by_hand.pause(session, UUID(int=1), until=NOW, now=NOW)
    by_hand.erase(session, contact, now=NOW)
    by_hand.pause(session, contact, until=NOW + timedelta(days=1), now=NOW)
    assert contacts.view(session, contact).paused_until is None
