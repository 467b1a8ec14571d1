"""Each due step becomes one e-mail, with any number of senders at once."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import agenda, campaigns, due, stops
from engine.campaigns.agenda import Agenda
from engine.delivery import audit, outbox, senders
from engine.delivery.claim import Claimant
from engine.delivery.outcomes import Outcome, Untried
from models import ids
from models.session import retrying, transaction
from tests import sequence
from tests.conftest import environment
from tests.sequence import NOW

DAY = timedelta(days=1)


def _launched(session: Session, count: int = 3, **fields: object) -> UUID:
    sequence.people(session, count)
    campaign_id = sequence.create(session, **fields)  # type: ignore[arg-type]
    campaigns.launch(session, campaign_id, now=NOW)
    return campaign_id


def _turns(session: Session) -> Agenda:
    return agenda.read(session, agenda.CAMPAIGN_LANE, now=NOW)


def _claimant(session: Session) -> Claimant:
    return Claimant(senders.register(session, "testhost", 1), agenda.CAMPAIGN_LANE, 60, is_connected=True)


def test_claim_returns_all_that_composing_needs_and_writes_only_the_group(session: Session) -> None:
    campaign_id = _launched(session, 1)
    (group,) = sequence.take(session, now=NOW)
    (email,) = group.emails
    enrollment = session.execute(text("SELECT id, state, next_at FROM enrollments")).one()
    assert (enrollment.state, enrollment.next_at) == ("active", NOW)
    assert email.email_id == ids.of_step(enrollment.id, 1)
    assert email.message_id == f"{email.email_id.hex}@cadencia.example"
    assert (email.to, email.template, email.kind) == ("contacto0@empresa.example", "email_1_roi", "marketing")
    assert (email.campaign_id, email.step, email.attempts, email.tried_since) == (campaign_id, 1, 0, NOW)
    assert email.variables["link_calendly"] == sequence.VARIABLES["link_calendly"]
    assert session.scalar(text("SELECT count(*) FROM emails")) == 0
    named = session.execute(text("SELECT members, campaign_id, step, state FROM send_groups")).one()
    assert tuple(named) == ([enrollment.id], campaign_id, 1, "open")


def test_settling_inserts_the_complete_row(session: Session) -> None:
    campaign_id = _launched(session, 1)
    groups = sequence.take(session, now=NOW)
    sequence.record(session, groups, now=NOW + timedelta(seconds=3))
    mail = session.execute(text("SELECT * FROM emails")).one()
    assert mail.id == sequence.mails(groups)[0].email_id
    assert mail.message_id == f"{mail.id.hex}@cadencia.example"
    assert (mail.campaign_id, mail.step, mail.template, mail.lane) == (campaign_id, 1, "email_1_roi", "campaign")
    assert (mail.status, mail.kind, mail.attempts, mail.response) == ("sent", "marketing", 1, "250 2.0.0 queued")
    assert (mail.accepted_at, mail.sent_at) == (NOW, NOW + timedelta(seconds=3))
    assert mail.subject == sequence.library().get("email_1_roi").subject_source
    assert (mail.variables, mail.claim) == (None, None)
    assert audit.read(session).findings == ()


@pytest.mark.parametrize(
    ("outcome", "status", "state"),
    [
        (sequence.SENT, "sent", "active"),
        (sequence.REFUSED, "failed", "active"),  # not caused by the contact: the sequence goes on
        (sequence.DEFERRED, "queued", "waiting"),
        (sequence.IN_DOUBT, "in_doubt", "waiting"),
        (sequence.GIVEN_BACK, None, "active"),
    ],
)
def test_the_sequence_waits_until_the_email_is_decided(
    session: Session, outcome: Outcome, status: str | None, state: str
) -> None:
    _launched(session, 1)
    sequence.send_due(session, outcome, now=NOW)
    assert session.scalar(text("SELECT status FROM emails")) == status
    step = 2 if status in ("sent", "failed") else 1
    assert session.execute(text("SELECT state, next_step FROM enrollments")).one() == (state, step)
    assert audit.read(session).findings == ()


def test_a_deferred_email_keeps_its_message_id_and_then_the_sequence_goes_on(session: Session) -> None:
    _launched(session, 1)
    (first,) = sequence.send_due(session, sequence.DEFERRED, now=NOW)
    assert sequence.take(session, now=NOW) == []
    (again,) = sequence.send_due(session, now=NOW + DAY)
    assert (again.email_id, again.status) == (first.email_id, "sent")
    assert session.execute(text("SELECT attempts, status FROM emails")).one() == (2, "sent")
    enrollment = session.execute(text("SELECT state, next_step, next_at FROM enrollments")).one()
    assert tuple(enrollment) == ("active", 2, NOW + 4 * DAY)


def test_an_email_released_by_a_broken_connection_is_due_a_minute_later(session: Session) -> None:
    _launched(session, 1)
    sequence.send_due(session, Untried("connection lost"), now=NOW)
    assert sequence.take(session, now=NOW + timedelta(seconds=59)) == []
    assert len(sequence.send_due(session, now=NOW + timedelta(seconds=60))) == 1


def test_delays_count_from_the_moment_each_email_was_sent(session: Session) -> None:
    _launched(session, 2, days=(0, 3, 4))
    sequence.send_due(session, now=NOW + 2 * DAY)  # the first mail was late
    assert sequence.take(session, now=NOW + 5 * DAY - timedelta(seconds=1)) == []
    assert len(sequence.send_due(session, now=NOW + 5 * DAY)) == 2
    assert len(sequence.send_due(session, now=NOW + 9 * DAY)) == 2
    assert set(session.scalars(text("SELECT state FROM enrollments"))) == {"finished"}
    assert set(session.scalars(text("SELECT email_followup_status FROM contacts"))) == {"email_3_sent"}


def test_a_closed_window_postpones_due_steps_to_its_next_opening(session: Session) -> None:
    _launched(session, window_start_min=9 * 60, window_end_min=11 * 60)
    closed = NOW + timedelta(hours=2)  # 11:00
    assert sequence.take(session, now=closed) == []
    assert due.waiting(session, now=closed) == (False, True)
    assert [due.postpone(session, now=closed, limit=2) for _ in range(3)] == [2, 1, 0]
    assert set(session.scalars(text("SELECT next_at FROM enrollments"))) == {NOW + DAY}
    assert not due.waiting(session, now=NOW + DAY - timedelta(seconds=1)).is_open
    assert due.waiting(session, now=NOW + DAY) == (True, False)
    assert len(sequence.send_due(session, now=NOW + DAY)) == 3


def test_campaigns_that_are_due_take_turns(session: Session) -> None:
    sequence.people(session, 50)
    for name in ("Otoño", "Invierno"):
        campaigns.launch(session, sequence.create(session, name, days=(0,)), now=NOW)
    groups = sequence.take(session, now=NOW, limit=10)
    assert len(groups) == 10
    assert all(first.step != second.step for first, second in pairwise(groups))


def test_claim_stops_a_contact_that_converted_or_was_suppressed(session: Session) -> None:
    _launched(session, 3)
    free, converted, banned = sequence.people(session, 3)
    session.execute(text("UPDATE contacts SET converted = true WHERE id = :id"), {"id": converted})
    suppressions.add(session, [banned], "manual", now=NOW)
    assert [email.contact_id for email in sequence.mails(sequence.take(session, now=NOW))] == [free]
    rows = session.execute(text("SELECT contact_id, state, stop_reason, stopped_at FROM enrollments"))
    assert {row.contact_id: tuple(row)[1:] for row in rows} == {
        free: ("active", None, None),
        converted: ("stopped", "converted", NOW),
        banned: ("stopped", "suppressed", NOW),
    }


@pytest.mark.parametrize("state", ["draft", "paused", "finished"])
def test_nothing_is_due_in_campaigns_that_are_not_running(session: Session, state: str) -> None:
    _launched(session)
    session.execute(text("UPDATE campaigns SET state = :state"), {"state": state})
    assert sequence.take(session, now=NOW) == []
    assert not due.waiting(session, now=NOW).is_open


def test_a_pause_in_the_middle_of_a_drain_ends_the_claims(session: Session) -> None:
    campaign_id = _launched(session, 10)
    turns, claimant = _turns(session), _claimant(session)
    assert turns.claim(session, claimant, limit=3, now=NOW) is not None
    campaigns.pause(session, campaign_id, "lunch", now=NOW)
    assert turns.claim(session, claimant, limit=3, now=NOW) is None


def test_a_step_due_before_the_position_of_an_agenda_is_claimed_by_the_next_one(session: Session) -> None:
    _launched(session, 6, days=(0,))
    turns, claimant = _turns(session), _claimant(session)
    early = turns.claim(session, claimant, limit=3, now=NOW)
    late = turns.claim(session, claimant, limit=3, now=NOW)
    assert early is not None
    assert late is not None
    sequence.record(session, [early], sequence.GIVEN_BACK, now=NOW)
    assert turns.claim(session, claimant, limit=3, now=NOW) is None
    again = _turns(session).claim(session, claimant, limit=3, now=NOW)
    assert again is not None
    assert [email.email_id for email in again.emails] == [email.email_id for email in early.emails]


def test_a_claimed_email_has_a_story_before_it_has_a_row(session: Session) -> None:
    campaign_id = _launched(session, 1)
    (email,) = sequence.mails(sequence.take(session, now=NOW))
    details = outbox.details(session, email.email_id)
    assert (details.status, details.campaign_id, details.step, details.template) == (
        "sending",
        campaign_id,
        1,
        "email_1_roi",
    )
    assert (details.contact_id, details.message_id, details.sent_at) == (email.contact_id, email.message_id, None)


def test_four_claimers_at_once_never_take_the_same_contact(ledger: str) -> None:
    with transaction() as session:
        _launched(session, 400, days=(0,))
        senders_ids = [senders.register(session, "testhost", number) for number in range(4)]
    together = Barrier(4)

    def claim_all(sender: UUID) -> list[UUID]:
        claimed: list[UUID] = []
        claimant = Claimant(sender, agenda.CAMPAIGN_LANE, 60, is_connected=True)
        with transaction() as session:
            turns = _turns(session)
        together.wait()
        while True:
            with transaction() as session:
                group = turns.claim(session, claimant, limit=7, now=NOW)
            if group is None:
                return claimed
            claimed += [email.email_id for email in group.emails]

    with ThreadPoolExecutor(4) as pool:
        everything = [email_id for taken in pool.map(claim_all, senders_ids) for email_id in taken]
    assert len(everything) == 400
    assert max(Counter(everything).values()) == 1


def _drain(together: Barrier, now: datetime, outcome: Outcome) -> None:
    """Send all that is due in small groups, starting when the other caller does."""
    together.wait()
    with transaction() as session:
        turns, claimant = agenda.read(session, agenda.CAMPAIGN_LANE, now=now), _claimant(session)
    while group := retrying(lambda session: turns.claim(session, claimant, limit=20, now=now)):
        retrying(lambda session, group=group: sequence.record(session, [group], outcome, now=now))  # type: ignore[misc]


@pytest.fixture
def without_automatic_pause(ledger: str) -> Iterator[None]:
    """Switch the automatic pause off."""
    with environment(PAUSE_BOUNCE_PERCENT="0", PAUSE_REFUSED_PERCENT="0"):
        yield


@pytest.mark.usefixtures("without_automatic_pause")
def test_two_at_once_send_exactly_one_mail_a_step_while_contacts_come_and_go() -> None:
    """200 contacts over a virtual month; seeded sends, failures, deferrals, stops and pauses; two senders each day."""
    chance = random.Random(20261102)
    outcomes: list[Outcome] = [
        sequence.SENT,
        sequence.SENT,
        sequence.SENT,
        sequence.REFUSED,
        sequence.DEFERRED,
        sequence.GIVEN_BACK,
    ]
    with transaction() as session:
        people = sequence.people(session, 200)
        campaign_id = sequence.create(session, days=(0, 3, 4), window_start_min=480, window_end_min=1200)
        campaigns.launch(session, campaign_id, now=NOW)
    gone: dict[UUID, int] = {}
    with ThreadPoolExecutor(2) as pool:
        for day in range(40):
            now = NOW + day * DAY + timedelta(hours=chance.choice((-5, 0, 3, 13)))
            with transaction() as session:
                due.postpone(session, now=now)
            together, outcome = Barrier(2), chance.choice(outcomes if day < 30 else outcomes[:3])
            for call in [pool.submit(_drain, together, now, outcome) for _ in range(2)]:
                call.result()
            with transaction() as session:
                for contact_id in chance.sample(people, 4 if day < 30 else 0):
                    stops.stop(session, [contact_id], chance.choice(("converted", "replied")), now=now)
                    gone.setdefault(contact_id, day)
                if chance.random() < 0.2:
                    campaigns.pause(session, campaign_id, "lunch", now=now)
                    campaigns.resume(session, campaign_id, now=now)
    with transaction() as session:
        assert audit.run(session).findings == ()
    with transaction() as session:
        mails = Counter(map(tuple, session.execute(text("SELECT enrollment_id, step FROM emails"))))
        states = Counter(session.execute(text("SELECT state FROM enrollments")).scalars())
        per_contact = Counter(session.execute(text("SELECT contact_id FROM emails")).scalars())
        waiting = session.scalar(text("SELECT count(*) FROM emails WHERE status = 'queued'"))
    assert set(mails.values()) == {1}
    assert len(mails) > 300
    assert states == {"stopped": 200 - states["finished"], "finished": states["finished"]}
    assert all(per_contact[contact_id] == 3 for contact_id in people if contact_id not in gone)
    assert waiting == 0
