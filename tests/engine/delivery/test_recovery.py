"""The groups of a dead sender are settled by its recorder; without one, started e-mails are in doubt."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import claim, in_doubt, outbox, recovery
from engine.delivery.claim import Claimant, Group
from engine.delivery.recorder import Mark, Recording, Slot
from models import ids
from models.session import transaction
from tests import mails, sends
from tests.sends import NOW

REPLY_MS = 1_772_442_000_000
REPLIED_AT = datetime.fromtimestamp(REPLY_MS / 1000, UTC)


def slot(mark: Mark, code: int = 0, reply: bytes = b"", phase: int = 0) -> Slot:
    return Slot(mark, phase, code, reply, REPLY_MS)


def left_behind(session: Session, count: int, *, started: bool = True) -> tuple[UUID, Group]:
    sends.queue(session, count)
    sender = sends.sender(session)
    group = claim.claim(session, Claimant(sender, "transactional", 60, started), limit=100, now=NOW)
    assert group is not None
    return sender, group


def recover(session: Session, sender: UUID, recording: Recording | None) -> list[str]:
    settled = recovery.recover(
        session, sender, recording, now=NOW, moment=lambda ms: datetime.fromtimestamp(ms / 1000, UTC)
    )
    return [email.status for email in settled]


def test_each_mark_decides_about_its_email(session: Session) -> None:
    sender, group = left_behind(session, 5)
    email_ids = [email.email_id for email in group.emails]
    marks = [
        slot(Mark.ANSWERED, 250, b"2.0.0 queued"),
        slot(Mark.ANSWERED, 550, b"550 5.1.1 no such user", phase=2),
        slot(Mark.ANSWERED, 451, b"4.3.0 later", phase=2),
        slot(Mark.COMPLETE),
        slot(Mark.NOTHING),
    ]
    recover(
        session, sender, Recording(sender, group.id, dict(zip(email_ids, marks, strict=True)), "mail.example.com:587")
    )
    assert sends.statuses(session, email_ids) == ["sent", "failed", "queued", "in_doubt", "queued"]
    assert outbox.details(session, email_ids[0]).sent_at == REPLIED_AT
    details = [outbox.details(session, email_id) for email_id in email_ids]
    assert [each.attempts for each in details] == [1, 1, 1, 1, 0]
    assert [each.relay for each in details] == ["mail.example.com:587"] * 4 + [None]


def test_a_group_that_never_began_is_given_back_whole(session: Session) -> None:
    sender, group = left_behind(session, 3)
    email_ids = [email.email_id for email in group.emails]
    before = {email_id: slot(Mark.ANSWERED, 250, b"ok") for email_id in email_ids}
    assert recover(session, sender, Recording(sender, ids.new(), before)) == ["queued"] * 3
    assert sends.statuses(session, email_ids) == ["queued"] * 3


def test_without_a_recorder_a_started_group_is_in_doubt(session: Session) -> None:
    sender, group = left_behind(session, 3)
    assert recover(session, sender, None) == ["in_doubt"] * 3
    assert len(in_doubt.pending(session)) == len(group.emails)


def test_without_a_recorder_a_claimed_group_is_given_back(session: Session) -> None:
    sender, _ = left_behind(session, 3, started=False)
    assert recover(session, sender, None) == ["queued"] * 3


@pytest.mark.parametrize(("resumed_h_ago", "outcome"), [(None, "failed"), (1, "queued"), (80, "failed")])
def test_a_pause_of_the_campaign_does_not_count_as_time_for_retries(
    session: Session, resumed_h_ago: int | None, outcome: str
) -> None:
    accepted_at = NOW - timedelta(hours=90)
    campaign_id = mails.campaign(session)
    if resumed_h_ago is not None:
        session.execute(text("UPDATE campaigns SET pardoned_at = :at"), {"at": NOW - timedelta(hours=resumed_h_ago)})
    waiting: dict[str, Any] = {"status": "queued", "sent_at": None, "due_at": NOW, "accepted_at": accepted_at}
    mail = mails.campaign_mail(session, campaign_id, **waiting)
    sender = sends.sender(session)
    group = claim.claim(session, Claimant(sender, "campaign", 60, is_connected=True), limit=1, now=NOW)
    assert group is not None
    answered = {mail.id: slot(Mark.ANSWERED, 451, b"4.3.0 later", phase=2)}
    assert recover(session, sender, Recording(sender, group.id, answered)) == [outcome]


def test_recovering_twice_changes_nothing(session: Session) -> None:
    sender, _ = left_behind(session, 3)
    assert recover(session, sender, None) == ["in_doubt"] * 3
    assert recover(session, sender, None) == []


def test_evidence_ends_doubt_as_sent(session: Session) -> None:
    sender, group = left_behind(session, 2)
    recover(session, sender, None)
    email_ids = [email.email_id for email in group.emails]
    settled = in_doubt.prove(session, email_ids[:1], now=NOW)
    assert [email.email_id for email in settled] == email_ids[:1]
    assert sends.statuses(session, email_ids) == ["sent", "in_doubt"]
    assert in_doubt.prove(session, email_ids[:1], now=NOW) == []


def test_an_email_sent_again_after_doubt_keeps_its_message_id(session: Session) -> None:
    sender, group = left_behind(session, 1)
    recover(session, sender, None)
    email_id = group.emails[0].email_id
    assert in_doubt.resend(session, [email_id], now=NOW) == 1
    again = claim.claim(session, Claimant(sender, "transactional", 60, is_connected=True), limit=1, now=NOW)
    assert again is not None
    assert again.emails[0].message_id == group.emails[0].message_id


@pytest.mark.parametrize(("after_s", "count"), [(0.0, 1), (3600.0, 0)])
@pytest.mark.usefixtures("ledger")
def test_doubt_is_overdue_after_its_time(after_s: float, count: int) -> None:
    with transaction() as session:
        sender, _ = left_behind(session, 1)
        recover(session, sender, None)
    with transaction() as session:  # the database's clock moves on between transactions only
        assert len(in_doubt.overdue(session, "transactional", after_s=after_s)) == count
