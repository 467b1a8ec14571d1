"""What each kind of event does to the mail, the contact, its enrollments and the counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import advance
from engine.delivery import early_events
from engine.delivery.transitions import Settled
from engine.engagement import reactions
from engine.tracking import bots, events, hit_history
from engine.tracking.events import IncomingEvent
from models import Contact, Email, EmailStats, Enrollment, Event
from models.stats import COUNTERS
from tests.mails import HOUR, NOW, Mail, campaign, campaign_mail, mail

PHONE = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"

EARLIER = NOW - timedelta(minutes=20)
HARD = {"hard": True}


def happen(session: Session, *arrivals: IncomingEvent) -> None:
    """Record and apply; rows read before are read anew."""
    early_events.record(session, arrivals, now=NOW)
    reactions.apply(session, now=NOW)
    session.expire_all()


def email_of(session: Session, made: Mail) -> Email:
    return session.get_one(Email, made.id)


def contact_of(session: Session, made: Mail) -> Contact:
    return session.get_one(Contact, made.contact_id)


def counted(session: Session) -> dict[str, int]:
    sums = session.execute(select(*(func.sum(getattr(EmailStats, name)) for name in COUNTERS))).one()
    return {name: total for name, total in zip(COUNTERS, sums, strict=True) if total}


@pytest.mark.parametrize("source", ["human", "unknown"])
def test_apply_marks_mail_contact_and_count_when_a_mail_is_opened(session: Session, source: str) -> None:
    sent = mail(session, step=2)
    happen(session, IncomingEvent(sent.id, "opened", EARLIER, {}, source))
    assert (email_of(session, sent).opened_at, email_of(session, sent).status) == (EARLIER, "sent")
    who = contact_of(session, sent)
    assert (who.email_2_opened, who.email_1_opened, who.score, who.updated_at) == (True, False, 5, NOW)
    assert counted(session) == {"opened": 1}


def test_apply_takes_a_click_for_an_open_too(session: Session) -> None:
    sent = mail(session)
    happen(session, IncomingEvent(sent.id, "clicked", EARLIER, {"link": 1}))
    assert (email_of(session, sent).opened_at, email_of(session, sent).clicked_at) == (EARLIER, EARLIER)
    who = contact_of(session, sent)
    assert (who.email_1_opened, who.email_1_clicked, who.score) == (True, True, 25)
    assert counted(session) == {"opened": 1, "clicked": 1}


def test_apply_keeps_the_earliest_moment_and_its_hour_when_an_earlier_event_comes_late(session: Session) -> None:
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


def test_apply_sets_no_flag_when_the_mail_has_no_step(session: Session) -> None:
    sent = mail(session, step=None, kind="transactional", lane="transactional")
    happen(session, IncomingEvent(sent.id, "clicked", EARLIER))
    assert email_of(session, sent).clicked_at == EARLIER
    assert (contact_of(session, sent).email_1_clicked, contact_of(session, sent).score) == (False, 0)


@pytest.mark.parametrize("kind", ["opened", "clicked", "converted", "unsubscribed", "replied", "complained"])
def test_apply_moves_nothing_when_a_machine_did_it(session: Session, kind: str) -> None:
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
def test_apply_stops_the_contacts_sequences_when_it_ends_them(
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


def test_apply_notes_when_the_contact_converted(session: Session) -> None:
    sent = mail(session)
    happen(session, IncomingEvent(sent.id, "converted", NOW), IncomingEvent(sent.id, "converted", EARLIER))
    assert email_of(session, sent).converted_at == EARLIER
    assert (contact_of(session, sent).converted, contact_of(session, sent).converted_at) == (True, EARLIER)
    assert counted(session) == {"converted": 1}


@pytest.mark.parametrize(("kind", "data"), [("bounced", {}), ("bounced", {"hard": False}), ("auto_replied", {})])
def test_apply_keeps_an_event_without_effect_when_it_ends_nothing(
    session: Session, kind: str, data: dict[str, bool]
) -> None:
    sent = campaign_mail(session, campaign(session))
    happen(session, IncomingEvent(sent.id, kind, EARLIER, data))
    assert (email_of(session, sent).status, contact_of(session, sent).email_followup_status) == ("sent", "new")
    assert session.get_one(Enrollment, sent.enrollment_id).state == "active"
    assert (counted(session), session.scalars(select(Event.applied_at)).all()) == ({}, [NOW])


def test_apply_lets_the_stronger_word_and_the_earlier_cause_stand_when_several_come(session: Session) -> None:
    sent = campaign_mail(session, campaign(session))
    happen(session, IncomingEvent(sent.id, "converted", NOW))
    happen(session, IncomingEvent(sent.id, "unsubscribed", EARLIER))
    assert contact_of(session, sent).email_followup_status == "converted"
    assert session.get_one(Enrollment, sent.enrollment_id).stop_reason == "unsubscribed"
    assert session.get_one(Enrollment, sent.enrollment_id).stopped_at == EARLIER


def test_apply_leaves_a_finished_enrollment_finished(session: Session) -> None:
    sent = campaign_mail(session, campaign(session))
    session.execute(text("UPDATE enrollments SET state = 'finished', next_at = NULL"))
    happen(session, IncomingEvent(sent.id, "converted", EARLIER))
    assert (session.get_one(Enrollment, sent.enrollment_id).state, contact_of(session, sent).converted) == (
        "finished",
        True,
    )


def test_apply_suppresses_again_when_a_contact_unsubscribes_after_coming_back(session: Session) -> None:
    sent = mail(session)
    happen(session, IncomingEvent(sent.id, "unsubscribed", NOW - HOUR))
    assert suppressions.lift(session, sent.contact_id)
    happen(session, IncomingEvent(sent.id, "unsubscribed", NOW))
    assert suppressions.suppressed(session, [sent.contact_id]) == {sent.contact_id: "unsubscribed"}
    assert counted(session) == {"unsubscribed": 1}


def test_apply_leaves_held_events_until_the_mail_was_sent(session: Session) -> None:
    going = mail(session, status="sending", sent_at=None)
    happen(session, IncomingEvent(going.id, "clicked", EARLIER))
    assert email_of(session, going).clicked_at is None
    session.execute(text("UPDATE emails SET status = 'sent', sent_at = :now"), {"now": NOW})
    events.release(session, [going.id])
    assert reactions.apply(session, now=NOW) == 1
    session.expire_all()
    assert email_of(session, going).clicked_at == EARLIER


@pytest.mark.parametrize(("kind", "data"), [("bounced", HARD), ("complained", {})])
def test_apply_stops_at_once_and_sets_the_status_later_when_a_bounce_overtakes_the_record_of_sending(
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
def test_apply_settles_a_mail_in_doubt_when_something_shows_that_it_arrived(session: Session, kind: str) -> None:
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


def test_apply_settles_a_mail_in_doubt_when_it_was_opened_before_it_came_into_doubt(session: Session) -> None:
    going = mail(session, status="sending", sent_at=None)
    happen(session, IncomingEvent(going.id, "opened", EARLIER))
    session.execute(text("UPDATE emails SET status = 'in_doubt'"))
    doubt = Settled(going.id, going.contact_id, None, None, 1, None, "in_doubt", NOW)
    advance.settled(session, [doubt], now=NOW)
    assert reactions.apply(session, now=NOW) == 1
    session.expire_all()
    assert (email_of(session, going).status, email_of(session, going).opened_at) == ("sent", EARLIER)


def test_apply_settles_a_mail_in_doubt_when_a_machine_opened_it(session: Session) -> None:
    """Its mail server has it: nobody else could know where the picture is."""
    doubtful = mail(session, status="in_doubt", sent_at=None)
    happen(session, IncomingEvent(doubtful.id, "opened", EARLIER, {}, "machine"))
    assert (email_of(session, doubtful).status, email_of(session, doubtful).opened_at) == ("sent", None)


def test_apply_leaves_a_mail_in_doubt_when_nothing_shows_that_it_arrived(session: Session) -> None:
    doubtful = mail(session, status="in_doubt", sent_at=None)
    happen(session, IncomingEvent(doubtful.id, "converted", EARLIER))
    assert email_of(session, doubtful).status == "in_doubt"


def test_apply_takes_the_first_received_first_when_there_are_more_than_it_may_take(session: Session) -> None:
    sent = {minute: mail(session).id for minute in (3, 1, 2)}
    for minute, email_id in sent.items():
        early_events.record(session, [IncomingEvent(email_id, "opened")], now=NOW - timedelta(minutes=minute))
    assert reactions.apply(session, now=NOW, limit=2) == 2
    assert session.scalar(text("SELECT email_id FROM events WHERE applied_at IS NULL")) == sent[1]
    assert [reactions.apply(session, now=NOW, limit=2) for _ in range(2)] == [1, 0]


def test_apply_takes_along_as_many_more_of_the_same_mails_and_no_others(session: Session) -> None:
    often, once = mail(session).id, mail(session).id
    for minute in range(9, 4, -1):
        early_events.record(session, [IncomingEvent(often, "opened")], now=NOW - timedelta(minutes=minute))
    early_events.record(session, [IncomingEvent(once, "opened")], now=NOW - timedelta(minutes=1))
    assert [reactions.apply(session, now=NOW, limit=2) for _ in range(3)] == [4, 2, 0]


def test_apply_needs_no_more_statements_when_there_are_more_events(session: Session) -> None:
    kinds = ("clicked", "converted", "unsubscribed", "complained")
    counts = []
    for mails in (1, 40):
        made = [mail(session).id for _ in range(mails)]
        early_events.record(session, [IncomingEvent(one, kind, EARLIER) for one in made for kind in kinds], now=NOW)
        with statements(session) as sent:
            assert reactions.apply(session, now=NOW) == mails * len(kinds)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 15


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """What the session sends to the database within the block."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(session.connection(), "before_cursor_execute", note)
    yield sent
    event.remove(session.connection(), "before_cursor_execute", note)


SCANNER, SAFARI = {"method": "GET", "agent": "python-requests/2.32"}, {"method": "GET", "agent": PHONE}


def test_apply_looks_at_the_first_hits_of_a_mail_and_at_the_new_ones_when_there_are_very_many(
    session: Session,
) -> None:
    opened = mail(session)
    moments = [NOW - HOUR + timedelta(seconds=n) for n in range(bots.NEIGHBOURS_MAX + 200)]
    happen(session, *(IncomingEvent(opened.id, "opened", at, SCANNER) for at in moments))
    assert (email_of(session, opened).machine_opened_at, email_of(session, opened).opened_at) == (moments[0], None)

    happen(session, IncomingEvent(opened.id, "opened", NOW, SAFARI))
    assert email_of(session, opened).opened_at == NOW
    [history] = hit_history.load(session, [opened.id], {}, ())
    assert [each.hit.at for each in history.interactions] == moments[: bots.NEIGHBOURS_MAX]
    assert not history.is_whole
    assert set(session.scalars(select(Event.source))) == {"machine", "human"}

    happen(session, IncomingEvent(opened.id, "clicked", NOW, SCANNER | {"link": 1}))
    row = email_of(session, opened)
    assert (row.opened_at, row.machine_clicked_at) == (NOW, NOW)  # what lies beyond the first is not forgotten


def test_apply_takes_back_what_lay_beyond_the_first_hits_when_it_was_a_crowds(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only human click of a mail with many hits is the last one, and then turns out to be a crowd's."""
    monkeypatch.setattr(bots, "NEIGHBOURS_MAX", 5)
    clicked, at = mail(session, step=2), NOW.replace(second=0)
    happen(
        session, *(IncomingEvent(clicked.id, "opened", at - HOUR + timedelta(seconds=n), SCANNER) for n in range(40))
    )
    seen = {"method": "GET", "agent": "Mozilla/5.0", "network": "other", "prefix": "p", "link": 1}
    happen(session, IncomingEvent(clicked.id, "clicked", at, seen))
    assert (email_of(session, clicked).clicked_at, contact_of(session, clicked).email_2_clicked) == (at, True)

    others = [mail(session) for _ in range(24)]
    happen(session, *(IncomingEvent(other.id, "clicked", at, seen) for other in others))
    row = email_of(session, clicked)
    assert (row.opened_at, row.clicked_at, row.machine_clicked_at) == (None, None, at)
    assert not contact_of(session, clicked).email_2_clicked
