"""Enrolling contacts, and stopping them."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import campaigns, enrollments, stops
from engine.campaigns.enrollments import Enrolled
from engine.delivery import outbox
from errors import InvalidInput, NotFound
from tests import sequence
from tests.sequence import NOW


def _rows(session: Session) -> dict[UUID, tuple[object, ...]]:
    rows = session.execute(text("SELECT contact_id, state, stop_reason, next_at FROM enrollments"))
    return {row.contact_id: tuple(row)[1:] for row in rows}


def test_enroll_adds_each_contact_once_when_called_again(session: Session) -> None:
    people = sequence.people(session, 5)
    campaign_id = sequence.create(session)
    assert enrollments.enroll(session, campaign_id, contact_ids=people[:3], now=NOW) == Enrolled(3, {})
    assert enrollments.enroll(session, campaign_id, contact_ids=people, now=NOW) == Enrolled(2, {})
    assert _rows(session) == dict.fromkeys(people, ("active", None, None))


def test_enroll_stops_contacts_that_may_not_get_email(session: Session) -> None:
    free, converted, gone, dead, angry, banned = sequence.people(session, 6)
    session.execute(text("UPDATE contacts SET converted = true WHERE id = :id"), {"id": converted})
    for contact_id, reason in ((gone, "unsubscribed"), (dead, "hard_bounce"), (angry, "complaint"), (banned, "manual")):
        suppressions.add(session, [contact_id], reason, now=NOW)
    campaign_id = sequence.create(session)
    words = {converted: "converted", gone: "unsubscribed", dead: "bounced", angry: "complained", banned: "suppressed"}
    enrolled = enrollments.enroll(session, campaign_id, now=NOW)
    assert enrolled == Enrolled(6, dict.fromkeys(words.values(), 1))
    stopped = {contact_id: ("stopped", word, None) for contact_id, word in words.items()}
    assert _rows(session) == {free: ("active", None, None), **stopped}
    campaigns.launch(session, campaign_id, now=NOW)
    assert len(sequence.send_due(session, now=NOW)) == 1


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ({}, {0, 1, 2, 3}),
        ({"industry": ["Marketing"]}, {0, 1}),
        ({"industry": ["Marketing", "Banca"], "role": ["CEO"]}, {1, 2}),
        ({"min_score": 20, "max_score": 40}, {2, 3}),
        ({"attributes": {"origen": "feria"}}, {3}),
        ({"company": ["Acme"], "locale": ["es"], "followup_status": ["new"]}, {0}),
        ({"industry": ["Nada"]}, set()),
    ],
)
def test_enroll_adds_the_audience_when_no_contacts_are_named(
    session: Session, audience: dict[str, object], expected: set[int]
) -> None:
    people = sequence.people(session, 4)
    details = [
        "industry = 'Marketing', company = 'Acme', locale = 'es'",
        "industry = 'Marketing', role = 'CEO', score = 10",
        "industry = 'Banca', role = 'CEO', score = 20",
        """score = 40, attributes = '{"origen": "feria", "x": "y"}'""",
    ]
    for contact_id, detail in zip(people, details, strict=True):
        session.execute(text(f"UPDATE contacts SET {detail} WHERE id = :id").bindparams(id=contact_id))
    enrollments.enroll(session, sequence.create(session, audience=audience), now=NOW)
    assert _rows(session).keys() == {people[number] for number in expected}


def test_enroll_makes_step_one_due_when_the_campaign_is_running(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session, days=(2, 3), weekdays=(1,))
    campaigns.launch(session, campaign_id, now=NOW)
    late = sequence.people(session, 1, prefix="tarde")
    enrollments.enroll(session, campaign_id, contact_ids=late, now=NOW + timedelta(days=1))
    # Tuesday and two days make Thursday; the next Monday starts four days later, at midnight.
    assert _rows(session)[late[0]][2] == NOW.replace(hour=0) + timedelta(days=7)


def test_enroll_refuses_missing_contacts_and_campaigns(session: Session) -> None:
    people = sequence.people(session, 2)
    with pytest.raises(InvalidInput, match="contact_ids: 2 of them"):
        enrollments.enroll(session, sequence.create(session), contact_ids=[*people, uuid4(), uuid4()], now=NOW)
    with pytest.raises(NotFound):
        enrollments.enroll(session, uuid4(), now=NOW)


def test_stop_ends_every_sequence_and_cancels_queued_emails(session: Session) -> None:
    stays, goes = sequence.people(session, 2)
    for name in ("Otoño", "Invierno"):
        campaigns.launch(session, sequence.create(session, name), now=NOW)
    groups = sequence.take(session, now=NOW)
    sequence.record(session, groups[:1], sequence.DEFERRED, now=NOW)  # one campaign's e-mails wait for a retry
    sequence.record(session, groups[1:], sequence.GIVEN_BACK, now=NOW)  # the other's are due
    orders = [
        outbox.SendRequest("contacto1@empresa.example", "email_1_roi", "x", {}, kind)
        for kind in ("marketing", "transactional")
    ]
    outbox.add(session, orders, now=NOW)
    assert stops.stop(session, [goes], "replied", now=NOW) == 2
    assert stops.stop(session, [goes], "unsubscribed", now=NOW) == 0
    states = session.execute(text("SELECT contact_id, state, stop_reason FROM enrollments")).all()
    assert {(row.state, row.stop_reason) for row in states if row.contact_id == goes} == {("stopped", "replied")}
    assert {row.state for row in states if row.contact_id == stays} == {"active", "waiting"}
    query = text("SELECT kind, enrollment_id IS NULL, status, reason FROM emails WHERE contact_id = :id")
    assert {tuple(mail) for mail in session.execute(query, {"id": goes})} == {
        ("marketing", False, "cancelled", "replied"),
        ("marketing", True, "cancelled", "replied"),
        ("transactional", True, "queued", None),
    }
    sent = sequence.send_due(session, now=NOW + timedelta(days=1))
    assert {mail.contact_id for mail in sent} == {stays}
    assert len(sent) == 2


def test_stop_leaves_a_claimed_email_and_ends_the_sequence_after_it(session: Session) -> None:
    (contact_id,) = sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session), now=NOW)
    groups = sequence.take(session, now=NOW)
    stops.stop(session, [contact_id], "converted", now=NOW)
    sequence.record(session, groups, now=NOW)
    assert session.scalar(text("SELECT status FROM emails")) == "sent"
    assert session.execute(text("SELECT state, stop_reason, next_step FROM enrollments")).one() == (
        "stopped",
        "converted",
        1,
    )
    assert sequence.take(session, now=NOW + timedelta(days=30)) == []


def test_stop_accepts_an_empty_list(session: Session) -> None:
    assert stops.stop(session, [], "converted", now=NOW) == 0


def test_an_audience_is_enrolled_page_by_page(session: Session) -> None:
    people = sequence.people(session, 5)
    campaign_id = sequence.create(session)
    enrollments.begin(session, campaign_id, now=NOW)
    suppressions.add(session, people[3:4], "manual", now=NOW)
    pages = [enrollments.proceed(session, limit=2) for _ in range(4)]
    assert [page and (page.total, page.is_complete) for page in pages] == [(2, False), (2, False), (1, True), None]
    assert sum(page.stopped.get("suppressed", 0) for page in pages if page) == 1
    assert not campaigns.view(session, campaign_id).enrolling


def test_a_launch_goes_on_with_an_audience_whose_enrolling_had_begun(session: Session) -> None:
    sequence.people(session, 5)
    campaign_id = sequence.create(session)
    enrollments.begin(session, campaign_id, now=NOW)
    enrollments.proceed(session, limit=2)
    later = NOW + timedelta(days=1)
    assert campaigns.launch(session, campaign_id, now=later) == Enrolled(3, {})
    assert set(session.scalars(text("SELECT next_at FROM enrollments"))) == {later}
    assert campaigns.finish(session, now=later) == []


def test_contacts_enrolled_before_the_launch_are_scheduled_page_by_page(session: Session) -> None:
    people = sequence.people(session, 5)
    campaign_id = sequence.create(session)
    enrollments.enroll(session, campaign_id, contact_ids=people, now=NOW)
    session.execute(text("UPDATE campaigns SET state = 'running', launched_at = :now"), {"now": NOW})
    enrollments.begin(session, campaign_id, after=UUID(int=(1 << 128) - 1), now=NOW)
    done = []
    while (page := enrollments.proceed(session, limit=2)) is not None:
        assert page.total == 0
        done.append(session.scalar(text("SELECT count(*) FROM enrollments WHERE next_at = :now"), {"now": NOW}))
    assert done == [2, 4, 5]


def test_a_campaign_without_enrollments_yet_is_not_finished_while_it_enrolls(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session)
    enrollments.begin(session, campaign_id, now=NOW)
    session.execute(text("UPDATE campaigns SET state = 'running', launched_at = :now"), {"now": NOW})
    assert campaigns.finish(session, now=NOW) == []
