"""The preview of a launch, and launches that start now or leave people out."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts, suppressions
from engine.campaigns import campaigns, enrollments
from engine.campaigns.reports import preflight
from errors import Conflict
from tests import sends, sequence
from tests.sequence import NOW

SUNDAY_NIGHT = NOW - timedelta(hours=11)  # Sunday 22:00 UTC
OFFICE_HOURS: dict[str, Any] = {
    "window_start_min": 540,
    "window_end_min": 1080,
    "weekdays": (1, 2, 3, 4, 5),
    "timezone": "Europe/Madrid",
}


def test_a_preview_counts_who_is_left_out_and_says_when_the_first_email_goes_out(session: Session) -> None:
    people = sequence.people(session, 6)
    suppressions.add(session, people[:2], "unsubscribed", now=NOW)
    session.execute(text("UPDATE contacts SET converted = true WHERE id = :id"), {"id": people[2]})
    campaign_id = sequence.create(session, **OFFICE_HOURS)
    report = preflight.of(session, campaign_id, now=SUNDAY_NIGHT)
    assert (report.enrolled, report.mailed, report.left_out) == (6, 3, {"unsubscribed": 2, "converted": 1})
    assert preflight.sentences(report) == [
        "6 contacts enrolled; 3 get e-mails.",
        "3 left out: 2 unsubscribed, 1 converted.",
        "The first e-mail goes out tomorrow at 09:00 Europe/Madrid.",
    ]
    enrolled = campaigns.launch(session, campaign_id, now=SUNDAY_NIGHT)
    assert (enrolled.total, enrolled.stopped) == (report.enrolled, report.left_out)
    assert set(session.scalars(text("SELECT next_at FROM enrollments WHERE state = 'active'"))) == {
        report.first_email_at
    }


def test_a_preview_counts_those_enrolled_before_and_the_rest_of_an_audience(session: Session) -> None:
    people = sequence.people(session, 5)
    suppressions.add(session, [people[0], people[4]], "manual", now=NOW)
    campaign_id = sequence.create(session)
    enrollments.begin(session, campaign_id, now=NOW)
    enrollments.proceed(session, limit=2)
    report = preflight.of(session, campaign_id, now=NOW)
    assert (report.enrolled, report.left_out) == (5, {"suppressed": 2})


def test_a_campaign_that_starts_now_ignores_the_window_of_its_first_step_only(session: Session) -> None:
    sequence.people(session, 2)
    campaign_id = sequence.create(session, **OFFICE_HOURS)
    assert preflight.of(session, campaign_id, now=SUNDAY_NIGHT, starts_now=True).first_email_at == SUNDAY_NIGHT
    campaigns.launch(session, campaign_id, now=SUNDAY_NIGHT, starts_now=True)
    assert len(sequence.send_due(session, now=SUNDAY_NIGHT)) == 2
    due = session.scalars(text("SELECT next_at FROM enrollments")).all()
    assert set(due) == {NOW - timedelta(hours=1) + timedelta(days=3)}  # three days after Sunday 22:00 the window opens


def test_a_running_campaign_is_started_now(session: Session) -> None:
    sequence.people(session, 2)
    campaign_id = sequence.create(session, **OFFICE_HOURS)
    with pytest.raises(Conflict, match="only a running one can be started now"):
        campaigns.start_now(session, campaign_id, now=SUNDAY_NIGHT)
    campaigns.launch(session, campaign_id, now=SUNDAY_NIGHT)
    assert sequence.send_due(session, now=SUNDAY_NIGHT) == []
    campaigns.start_now(session, campaign_id, now=SUNDAY_NIGHT)
    assert [enrollments.hasten(session, campaign_id, now=SUNDAY_NIGHT) for _ in range(2)] == [2, 0]
    assert len(sequence.send_due(session, now=SUNDAY_NIGHT)) == 2
    assert preflight.of(session, campaign_id, now=SUNDAY_NIGHT + campaigns.OPENED_FOR).first_email_at is not None


@pytest.mark.parametrize("is_enrolled_before", [False, True])
def test_people_who_received_a_template_are_counted_and_can_be_left_out(
    session: Session, is_enrolled_before: bool
) -> None:
    got, _, _ = people = sequence.people(session, 3)
    campaigns.launch(session, sequence.create(session, "Verano", days=(0,)), now=NOW)
    sequence.send_due(session, now=NOW)
    session.execute(text("DELETE FROM emails WHERE contact_id <> :got"), {"got": got})
    campaign_id = sequence.create(session)
    if is_enrolled_before:
        enrollments.enroll(session, campaign_id, contact_ids=people, now=NOW)
    report = preflight.of(session, campaign_id, now=NOW)
    assert (report.received, preflight.warnings(report)) == (
        {"email_1_roi": 1},
        ["1 contact already received email_1_roi."],
    )
    without = preflight.of(session, campaign_id, now=NOW, skips_received=True)
    assert (without.left_out, without.received, without.mailed) == ({"received": 1}, {}, 2)
    campaigns.launch(session, campaign_id, now=NOW, skips_received=True)
    assert got not in {mail.contact_id for mail in sequence.send_due(session, now=NOW)}
    state = text("SELECT state, stop_reason FROM enrollments WHERE contact_id = :got AND campaign_id = :id")
    assert session.execute(state, {"got": got, "id": campaign_id}).one() == ("stopped", "received")


def test_a_contact_known_from_a_single_send_is_in_no_audience_until_it_is_listed(session: Session) -> None:
    sends.queue(session, 1, now=NOW)
    sequence.people(session, 1)
    campaign_id = sequence.create(session)
    assert preflight.of(session, campaign_id, now=NOW).enrolled == 1
    customer = contacts.find(session, "persona0@empresa.example")
    assert customer is not None and contacts.view(session, customer).listed_at is None
    contacts.set_listed(session, [customer], True, now=NOW)
    assert preflight.of(session, campaign_id, now=NOW).enrolled == 2
    contacts.set_listed(session, [customer], False, now=NOW)
    contacts.upsert(session, [contacts.Draft("persona0@empresa.example")], now=NOW)
    assert contacts.view(session, customer).listed_at == NOW


def test_moments_are_said_as_people_say_them() -> None:
    words = [preflight.in_words(NOW + timedelta(hours=hours), NOW, "Europe/Madrid") for hours in (-1, 2, 20, 48)]
    assert words == [
        "now",
        "today at 12:00 Europe/Madrid",
        "tomorrow at 06:00 Europe/Madrid",
        "on Wednesday 4 November at 10:00 Europe/Madrid",
    ]
