"""The state of every contact is explained, and the counts of the funnel add up."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import campaigns, enrollments, explain, stops
from engine.campaigns.reports import funnel
from tests import sequence
from tests.sequence import NOW

DAY = timedelta(days=1)


def test_why_explains_each_state_of_a_contact(session: Session) -> None:
    (ana,) = sequence.people(session, 1)
    campaign_id = sequence.create(session, days=(1, 3))
    enrollments.enroll(session, campaign_id, now=NOW)

    def sentence() -> str:
        (journey,) = explain.why(session, ana, now=NOW)
        return journey.sentence

    assert sentence() == "No e-mail was sent; step 1 waits because the campaign is draft."
    campaigns.launch(session, campaign_id, now=NOW)
    assert sentence() == "No e-mail was sent; step 1 is due on 2026-11-03 09:00 UTC."
    groups = sequence.take(session, now=NOW + DAY)
    assert sentence() == "No e-mail was sent; step 1 is on its way."
    sequence.record(session, groups, sequence.DEFERRED, now=NOW + DAY)
    campaigns.pause(session, campaign_id, "price changed", now=NOW + DAY)
    assert sentence() == "No e-mail was sent; step 1 waits because the campaign is paused (price changed)."
    campaigns.resume(session, campaign_id, now=NOW + DAY)
    session.execute(text("UPDATE emails SET due_at = :at"), {"at": NOW + 2 * DAY})
    assert sentence().endswith("step 1 was deferred by the mail server and is tried again on 2026-11-04 09:00 UTC.")
    session.execute(text("UPDATE emails SET status = 'in_doubt'"))
    assert sentence() == "No e-mail was sent; it is in doubt whether the mail server took step 1."
    session.execute(text("UPDATE emails SET status = 'queued'"))
    sequence.send_due(session, now=NOW + 2 * DAY)
    assert sentence() == "1 e-mail was sent; step 2 is due on 2026-11-07 09:00 UTC."
    stops.stop(session, [ana], "replied", now=NOW + 3 * DAY)
    assert sentence() == "1 e-mail was sent; stopped on 2026-11-05 09:00 UTC because the contact answered."
    (journey,) = explain.why(session, ana, now=NOW)
    assert [(step.step, step.status, step.sent_at) for step in journey.steps] == [(1, "sent", NOW + 2 * DAY)]


def test_why_lists_every_campaign_also_those_without_emails(session: Session) -> None:
    (ana,) = sequence.people(session, 1)
    first = sequence.create(session, "Otoño", days=(0,))
    campaigns.launch(session, first, now=NOW)
    sequence.send_due(session, now=NOW)
    suppressions.add(session, [ana], "unsubscribed", now=NOW)
    enrollments.enroll(session, sequence.create(session, "Invierno"), now=NOW + DAY)
    assert [(journey.campaign, journey.sentence) for journey in explain.why(session, ana, now=NOW)] == [
        ("Otoño", "1 e-mail was sent; the sequence is complete."),
        ("Invierno", "No e-mail was sent; stopped on 2026-11-03 09:00 UTC because the contact unsubscribed."),
    ]
    assert explain.why(session, uuid4(), now=NOW) == []


def test_funnel_adds_up_to_the_enrolled_contacts(session: Session) -> None:
    people = sequence.people(session, 10)
    suppressions.add(session, people[:1], "complaint", now=NOW)
    campaign_id = sequence.create(session, days=(0, 3))
    campaigns.launch(session, campaign_id, now=NOW)
    sequence.send_due(session, sequence.DEFERRED, now=NOW)
    stops.stop(session, people[1:3], "converted", now=NOW)
    session.execute(text("UPDATE emails SET status = 'in_doubt' WHERE contact_id = :id"), {"id": people[3]})
    sequence.send_due(session, now=NOW + DAY)
    session.execute(text("UPDATE emails SET opened_at = sent_at WHERE contact_id = ANY(:ids)"), {"ids": people[4:8]})
    sequence.take(session, now=NOW + 4 * DAY)
    counts = funnel.of(session, campaign_id)
    assert (counts.enrolled, counts.states) == (10, {"active": 6, "waiting": 1, "finished": 0, "stopped": 3})
    assert counts.stop_reasons == {"converted": 2, "complained": 1}
    first, second = counts.steps
    assert (first.queued, first.sent, first.in_doubt, first.cancelled, first.opened) == (0, 6, 1, 2, 4)
    assert (second.step, second.template, second.queued, second.sent) == (2, "email_2_caso", 6, 0)


def test_funnel_shows_steps_without_emails_before_the_launch(session: Session) -> None:
    counts = funnel.of(session, sequence.create(session))
    assert [(step.step, step.queued, step.sent) for step in counts.steps] == [(1, 0, 0), (2, 0, 0), (3, 0, 0)]
    assert counts.enrolled == 0
