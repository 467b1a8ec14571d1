"""Each due step becomes one mail, whoever asks and however many at once."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import campaigns, due, enrollments
from models.session import retrying, transaction
from tests import sequence
from tests.sequence import NOW

DAY = timedelta(days=1)


def _launched(session: Session, count: int = 3, **given: object) -> UUID:
    sequence.people(session, count)
    campaign_id = sequence.create(session, **given)  # type: ignore[arg-type]
    campaigns.launch(session, campaign_id, now=NOW)
    return campaign_id


def test_queue_due_makes_a_mail_with_all_that_sending_needs(session: Session) -> None:
    campaign_id = _launched(session, 1)
    assert due.queue_due(session, now=NOW) == 1
    mail = session.execute(text("SELECT * FROM emails")).one()
    assert mail.message_id == f"{mail.id.hex}@cadencia.example"
    assert (mail.id.version, mail.campaign_id, mail.step, mail.template) == (7, campaign_id, 1, "email_1_roi")
    assert (mail.status, mail.lane, mail.kind, mail.due_at, mail.accepted_at) == (
        "queued",
        "campaign",
        "marketing",
        NOW,
        NOW,
    )
    assert mail.subject == sequence.library().get("email_1_roi").subject_source
    assert mail.variables is None
    assert session.execute(text("SELECT id, state, next_at FROM enrollments")).one() == (
        mail.enrollment_id,
        "waiting",
        None,
    )
    assert due.queue_due(session, now=NOW + 30 * DAY) == 0  # it waits for the truth


def test_the_sequence_runs_from_the_moment_each_mail_was_sent(session: Session) -> None:
    _launched(session, 2, days=(0, 3, 4))
    due.queue_due(session, now=NOW)
    sequence.settle(session, now=NOW + 2 * DAY)  # the first mail was late
    assert due.queue_due(session, now=NOW + 5 * DAY - timedelta(seconds=1)) == 0
    assert due.queue_due(session, now=NOW + 5 * DAY) == 2
    sequence.settle(session, now=NOW + 5 * DAY)
    assert due.queue_due(session, now=NOW + 9 * DAY) == 2
    sequence.settle(session, now=NOW + 9 * DAY)
    assert set(session.scalars(text("SELECT state FROM enrollments"))) == {"finished"}
    assert set(session.scalars(text("SELECT email_followup_status FROM contacts"))) == {"email_3_sent"}


def test_queue_due_moves_enrollments_to_the_next_opening_when_the_window_is_closed(session: Session) -> None:
    _launched(session, window_start_min=9 * 60, window_end_min=11 * 60)
    assert due.queue_due(session, now=NOW + timedelta(hours=2)) == 0  # 11:00: closed
    assert set(session.scalars(text("SELECT next_at FROM enrollments"))) == {NOW + DAY}
    assert due.queue_due(session, now=NOW + DAY - timedelta(seconds=1)) == 0
    assert due.queue_due(session, now=NOW + DAY) == 3


def test_queue_due_shares_its_limit_when_several_campaigns_are_due(session: Session) -> None:
    sequence.people(session, 50)
    for name in ("Otoño", "Invierno"):
        campaigns.launch(session, sequence.create(session, name, days=(0,)), now=NOW)
    assert due.queue_due(session, now=NOW, limit=20) == 20
    queued = session.execute(text("SELECT campaign_id, count(*) FROM emails GROUP BY campaign_id")).all()
    assert [count for _, count in queued] == [10, 10]


def test_queue_due_queues_no_more_than_the_senders_need_for_a_while(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    _launched(session, 10, days=(0,))
    monkeypatch.setattr(due, "QUEUED_AHEAD", 4)
    assert due.queue_due(session, now=NOW) == 4
    assert due.queue_due(session, now=NOW) == 0
    sequence.settle(session, now=NOW)
    assert due.queue_due(session, now=NOW) == 4


def test_queue_due_stops_a_contact_that_converted_or_was_suppressed_unnoticed(session: Session) -> None:
    _launched(session, 3)
    free, converted, banned = sequence.people(session, 3)
    session.execute(text("UPDATE contacts SET converted = true WHERE id = :id"), {"id": converted})
    suppressions.add(session, [banned], "manual", now=NOW)
    assert due.queue_due(session, now=NOW) == 1
    rows = session.execute(text("SELECT contact_id, state, stop_reason, stopped_at FROM enrollments"))
    assert {row.contact_id: tuple(row)[1:] for row in rows} == {
        free: ("waiting", None, None),
        converted: ("stopped", "converted", NOW),
        banned: ("stopped", "suppressed", NOW),
    }


@pytest.mark.parametrize("state", ["draft", "paused", "finished"])
def test_queue_due_leaves_campaigns_that_are_not_running(session: Session, state: str) -> None:
    _launched(session)
    session.execute(text("UPDATE campaigns SET state = :state"), {"state": state})
    assert due.queue_due(session, now=NOW) == 0


def test_queue_due_steps_over_what_another_call_has_locked(ledger: str) -> None:
    with transaction() as session:
        _launched(session, 30, days=(0,))
    with transaction() as first:
        assert due.queue_due(first, now=NOW, limit=20) == 20
        with transaction() as second:
            assert due.queue_due(second, now=NOW) == 10


def _drain(together: Barrier, now: datetime) -> int:
    """Queue all that is due in small pages, starting when the other caller does."""
    together.wait()
    total = 0
    while page := retrying(lambda session: due.queue_due(session, now=now, limit=60)):
        total += page
    return total


def test_two_at_once_queue_exactly_one_mail_a_step_while_contacts_come_and_go(ledger: str) -> None:
    """200 contacts over a virtual month; seeded sends, failures, stops and pauses; two callers each day."""
    chance = random.Random(20261102)
    with transaction() as session:
        people = sequence.people(session, 200)
        campaign_id = sequence.create(session, days=(0, 3, 4), window_start_min=480, window_end_min=1200)
        campaigns.launch(session, campaign_id, now=NOW)
    gone: dict[UUID, int] = {}
    queued = 0
    with ThreadPoolExecutor(2) as pool:
        for day in range(30):
            now = NOW + day * DAY + timedelta(hours=chance.choice((-5, 0, 3, 13)))
            together = Barrier(2)
            queued += sum(call.result() for call in [pool.submit(_drain, together, now) for _ in range(2)])
            with transaction() as session:
                for contact_id in chance.sample(people, 4):
                    enrollments.stop(session, [contact_id], chance.choice(("converted", "replied")), now=now)
                    gone.setdefault(contact_id, day)
                sequence.settle(session, now=now, status=chance.choice(("sent", "sent", "failed")))
                if chance.random() < 0.2:
                    campaigns.pause(session, campaign_id, "lunch", now=now)
                    campaigns.resume(session, campaign_id, now=now)
    with transaction() as session:
        mails = Counter(map(tuple, session.execute(text("SELECT enrollment_id, step FROM emails"))))
        states = Counter(session.execute(text("SELECT state FROM enrollments")).scalars())
        per_contact = Counter(session.execute(text("SELECT contact_id FROM emails")).scalars())
        waiting = session.scalar(text("SELECT count(*) FROM emails WHERE status = 'queued'"))
    assert set(mails.values()) == {1}
    assert queued == len(mails) > 300
    assert states == {"stopped": 200 - states["finished"], "finished": states["finished"]}
    assert all(per_contact[contact_id] == 3 for contact_id in people if contact_id not in gone)
    assert waiting == 0
