"""The effect of each kind of event on the e-mail, the contact, its enrollments and the counts."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import advance
from engine.delivery.transitions import Settled
from engine.engagement import reactions
from engine.tracking import events
from engine.tracking.events import IncomingEvent
from models import EmailStats, Enrollment, Event
from tests.engine.engagement.applying import contact_of, counted, email_of, happen
from tests.mails import HOUR, NOW, campaign, campaign_mail, mail

PHONE = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"

EARLIER = NOW - timedelta(minutes=20)
HARD = {"hard": True}


@pytest.mark.parametrize("source", ["human", "unknown"])
def test_an_open_changes_email_contact_and_count(session: Session, source: str) -> None:
    sent = mail(session, step=2)
    happen(session, IncomingEvent(sent.id, "opened", EARLIER, {}, source))
    assert (email_of(session, sent).opened_at, email_of(session, sent).status) == (EARLIER, "sent")
    who = contact_of(session, sent)
    assert (who.email_2_opened, who.email_1_opened, who.score, who.updated_at) == (True, False, 5, NOW)
    assert counted(session) == {"opened": 1}


def test_a_click_counts_as_an_open_too(session: Session) -> None:
    sent = mail(session)
    happen(session, IncomingEvent(sent.id, "clicked", EARLIER, {"link": 1}))
    assert (email_of(session, sent).opened_at, email_of(session, sent).clicked_at) == (EARLIER, EARLIER)
    who = contact_of(session, sent)
    assert (who.email_1_opened, who.email_1_clicked, who.score) == (True, True, 25)
    assert counted(session) == {"opened": 1, "clicked": 1}


def test_the_earliest_moment_counts_when_an_earlier_event_arrives_late(session: Session) -> None:
    campaign_id = campaign(session)
    sent = campaign_mail(session, campaign_id, variant="b")
    happen(session, IncomingEvent(sent.id, "opened", NOW))
    happen(session, IncomingEvent(sent.id, "opened", NOW - HOUR))
    happen(session, IncomingEvent(sent.id, "opened", EARLIER))
    assert email_of(session, sent).opened_at == NOW - HOUR
    hour = NOW.replace(minute=0)
    stats = session.scalars(select(EmailStats).order_by(EmailStats.hour)).all()
    assert [(row.campaign_id, row.step, row.variant, row.hour, row.opened) for row in stats] == [
        (campaign_id, 1, "b", hour - HOUR, 1),
        (campaign_id, 1, "b", hour, 0),
    ]


def test_an_email_without_a_step_sets_no_flag(session: Session) -> None:
    sent = mail(session, step=None, kind="transactional", lane="transactional")
    happen(session, IncomingEvent(sent.id, "clicked", EARLIER))
    assert email_of(session, sent).clicked_at == EARLIER
    assert (contact_of(session, sent).email_1_clicked, contact_of(session, sent).score) == (False, 0)


@pytest.mark.parametrize("kind", ["opened", "clicked", "converted", "unsubscribed", "replied", "complained"])
def test_an_event_of_a_machine_changes_only_its_counts(session: Session, kind: str) -> None:
    sent = campaign_mail(session, campaign(session))
    happen(session, IncomingEvent(sent.id, kind, EARLIER, {}, "machine"))
    assert session.scalars(select(Event.applied_at)).all() == [NOW]
    assert (email_of(session, sent).opened_at, email_of(session, sent).status) == (None, "sent")
    assert contact_of(session, sent).email_followup_status == "new"
    assert session.get_one(Enrollment, sent.enrollment_id).state == "active"
    machines = {"opened": ["machine_opened"], "clicked": ["machine_opened", "machine_clicked"]}
    assert counted(session) == dict.fromkeys(machines.get(kind, []), 1)


@pytest.mark.parametrize(
    ("kind", "data", "mail_status", "suppressed", "score"),
    [
        ("converted", {}, "sent", None, 100),
        ("replied", {}, "sent", None, 25),
        ("unsubscribed", {}, "sent", "unsubscribed", 0),
        ("bounced", HARD, "bounced", "hard_bounce", 0),
        ("complained", {}, "complained", "complaint", 0),
    ],
)
def test_a_final_event_stops_all_sequences_of_the_contact(
    session: Session, kind: str, data: dict[str, bool], mail_status: str, suppressed: str | None, score: int
) -> None:
    first, other = campaign(session), campaign(session)
    sent = campaign_mail(session, first)
    queued = campaign_mail(session, other, contact_id=sent.contact_id, status="queued", sent_at=None)
    happen(session, IncomingEvent(sent.id, kind, EARLIER, data))

    assert email_of(session, sent).status == mail_status
    assert (email_of(session, queued).status, email_of(session, queued).reason) == ("cancelled", kind)
    assert (contact_of(session, sent).email_followup_status, contact_of(session, sent).score) == (kind, score)
    stopped = session.execute(select(Enrollment.state, Enrollment.stop_reason, Enrollment.stopped_at)).all()
    assert stopped == [("stopped", kind, EARLIER)] * 2
    assert suppressions.suppressed(session, [sent.contact_id]).get(sent.contact_id) == suppressed
    assert counted(session) == {kind: 1}


def test_the_first_conversion_counts(session: Session) -> None:
    sent = mail(session)
    happen(session, IncomingEvent(sent.id, "converted", NOW), IncomingEvent(sent.id, "converted", EARLIER))
    assert email_of(session, sent).converted_at == EARLIER
    assert (contact_of(session, sent).converted, contact_of(session, sent).converted_at) == (True, EARLIER)
    assert counted(session) == {"converted": 1}


@pytest.mark.parametrize(("kind", "data"), [("bounced", {}), ("bounced", {"hard": False}), ("auto_replied", {})])
def test_a_soft_bounce_and_an_automatic_reply_change_nothing(
    session: Session, kind: str, data: dict[str, bool]
) -> None:
    sent = campaign_mail(session, campaign(session))
    happen(session, IncomingEvent(sent.id, kind, EARLIER, data))
    assert (email_of(session, sent).status, contact_of(session, sent).email_followup_status) == ("sent", "new")
    assert session.get_one(Enrollment, sent.enrollment_id).state == "active"
    assert (counted(session), session.scalars(select(Event.applied_at)).all()) == ({}, [NOW])


def test_the_stronger_status_and_the_earlier_cause_win(session: Session) -> None:
    sent = campaign_mail(session, campaign(session))
    happen(session, IncomingEvent(sent.id, "converted", NOW))
    happen(session, IncomingEvent(sent.id, "unsubscribed", EARLIER))
    assert contact_of(session, sent).email_followup_status == "converted"
    assert session.get_one(Enrollment, sent.enrollment_id).stop_reason == "unsubscribed"
    assert session.get_one(Enrollment, sent.enrollment_id).stopped_at == EARLIER


def test_a_finished_enrollment_stays_finished(session: Session) -> None:
    sent = campaign_mail(session, campaign(session))
    session.execute(text("UPDATE enrollments SET state = 'finished', next_at = NULL"))
    happen(session, IncomingEvent(sent.id, "converted", EARLIER))
    assert (session.get_one(Enrollment, sent.enrollment_id).state, contact_of(session, sent).converted) == (
        "finished",
        True,
    )


def test_a_second_unsubscribe_suppresses_again(session: Session) -> None:
    sent = mail(session)
    happen(session, IncomingEvent(sent.id, "unsubscribed", NOW - HOUR))
    assert suppressions.lift(session, sent.contact_id)
    happen(session, IncomingEvent(sent.id, "unsubscribed", NOW))
    assert suppressions.suppressed(session, [sent.contact_id]) == {sent.contact_id: "unsubscribed"}
    assert counted(session) == {"unsubscribed": 1}


def test_a_held_event_is_applied_once_the_email_is_sent(session: Session) -> None:
    going = mail(session, status="sending", sent_at=None)
    happen(session, IncomingEvent(going.id, "clicked", EARLIER))
    assert email_of(session, going).clicked_at is None
    session.execute(text("UPDATE emails SET status = 'sent', sent_at = :now"), {"now": NOW})
    events.release(session, [going.id])
    assert reactions.apply(session, now=NOW) == 1
    session.expire_all()
    assert email_of(session, going).clicked_at == EARLIER


@pytest.mark.parametrize(("kind", "data"), [("bounced", HARD), ("complained", {})])
def test_a_bounce_before_the_settlement_stops_at_once_and_sets_the_status_later(
    session: Session, kind: str, data: dict[str, bool]
) -> None:
    going = campaign_mail(session, campaign(session), status="sending", sent_at=None)
    happen(session, IncomingEvent(going.id, kind, EARLIER, data))
    assert email_of(session, going).status == "sending"
    assert session.get_one(Enrollment, going.enrollment_id).stop_reason == kind
    session.execute(text("UPDATE emails SET status = 'sent', sent_at = :now"), {"now": NOW})
    assert events.release(session, [going.id]) == 1
    reactions.apply(session, now=NOW)
    session.expire_all()
    assert email_of(session, going).status == kind
    assert counted(session) == {kind: 1}


@pytest.mark.parametrize("kind", ["opened", "clicked", "replied", "auto_replied", "unsubscribed"])
def test_an_event_that_proves_the_arrival_settles_an_email_in_doubt(session: Session, kind: str) -> None:
    doubtful = campaign_mail(session, campaign(session), status="in_doubt", sent_at=None)
    session.execute(text("UPDATE enrollments SET state = 'waiting', next_step = 1"))
    happen(session, IncomingEvent(doubtful.id, kind, EARLIER))
    assert (email_of(session, doubtful).status, email_of(session, doubtful).sent_at) == ("sent", NOW)
    assert contact_of(session, doubtful).email_1_sent
    assert counted(session)["sent"] == 1
    enrollment = session.get_one(Enrollment, doubtful.enrollment_id)
    assert (enrollment.state, enrollment.next_step) == (
        ("stopped", 2) if kind in ("replied", "unsubscribed") else ("active", 2)
    )


def test_an_earlier_open_settles_an_email_in_doubt(session: Session) -> None:
    going = mail(session, status="sending", sent_at=None)
    happen(session, IncomingEvent(going.id, "opened", EARLIER))
    session.execute(text("UPDATE emails SET status = 'in_doubt'"))
    doubt = Settled(going.id, going.contact_id, None, None, 1, None, "in_doubt", NOW)
    advance.apply(session, [doubt], now=NOW)
    assert reactions.apply(session, now=NOW) == 1
    session.expire_all()
    assert (email_of(session, going).status, email_of(session, going).opened_at) == ("sent", EARLIER)


def test_an_open_of_a_machine_settles_an_email_in_doubt(session: Session) -> None:
    """Its mail server has it: nobody else could know where the picture is."""
    doubtful = mail(session, status="in_doubt", sent_at=None)
    happen(session, IncomingEvent(doubtful.id, "opened", EARLIER, {}, "machine"))
    assert (email_of(session, doubtful).status, email_of(session, doubtful).opened_at) == ("sent", None)


def test_a_conversion_does_not_settle_an_email_in_doubt(session: Session) -> None:
    doubtful = mail(session, status="in_doubt", sent_at=None)
    happen(session, IncomingEvent(doubtful.id, "converted", EARLIER))
    assert email_of(session, doubtful).status == "in_doubt"
