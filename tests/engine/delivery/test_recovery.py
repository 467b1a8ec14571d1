"""The groups of a dead sender are settled by its recorder; without one, started e-mails are in doubt."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import agenda
from engine.delivery import in_doubt, outbox, outcomes, recorder, recovery, transitions
from engine.delivery.claim import Claimant, Group
from engine.delivery.outcomes import Deferred, Phase, Rejected, Sent
from engine.delivery.recorder import Mark, Recorder, Recording, Slot
from engine.delivery.smtp import replies
from engine.delivery.transitions import Settled
from models import ids
from models.session import transaction
from tests import mails, sends
from tests.sends import NOW

REPLY_MS = 1_772_442_000_000
REPLIED: Callable[[int], datetime] = lambda ms: datetime.fromtimestamp(ms / 1000, UTC)
REPLIED_AT = REPLIED(REPLY_MS)


REFUSED, DEAD_ADDRESS, DEFERRED = (
    outcomes.to_byte(outcome)
    for outcome in (
        Rejected(Phase.RCPT, 550, None, "", dead_address=False),
        Rejected(Phase.RCPT, 550, None, "", dead_address=True),
        Deferred(Phase.RCPT, 451, None, ""),
    )
)


def slot(mark: Mark, code: int = 0, reply: bytes = b"", decision: int = outcomes.SENT) -> Slot:
    return Slot(mark, decision, code, reply, REPLY_MS)


def left_behind(session: Session, count: int, *, started: bool = True) -> tuple[UUID, Group]:
    sends.queue(session, count)
    sender = sends.sender(session)
    group = agenda.claim_queued(session, Claimant(sender, "transactional", 60, started), limit=100, now=NOW)
    assert group is not None
    return sender, group


def recover_all(session: Session, sender: UUID, recording: Recording | None) -> list[Settled]:
    return recovery.recover(session, sender, recording, now=NOW, moment=REPLIED)


def recover(session: Session, sender: UUID, recording: Recording | None) -> list[str]:
    return [email.status for email in recover_all(session, sender, recording)]


def test_each_mark_decides_about_its_email(session: Session) -> None:
    sender, group = left_behind(session, 5)
    email_ids = [email.email_id for email in group.emails]
    marks = [
        slot(Mark.ANSWERED, 250, b"2.0.0 queued"),
        slot(Mark.ANSWERED, 550, b"550 5.1.1 no such user", DEAD_ADDRESS),
        slot(Mark.ANSWERED, 451, b"4.3.0 later", DEFERRED),
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


# Replies whose decisive words come late, or of which a part alone would have another meaning.
LONG = "x" * 100
CRASHES: list[tuple[Phase, int, str]] = [
    (Phase.ANSWER, 250, "2.0.0 Ok: queued as 4XyZ1k2Pqz"),
    (Phase.ANSWER, 250, f"2.0.0 {LONG * 4}"),
    (Phase.RCPT, 550, f"{LONG}: no such user here"),
    (Phase.RCPT, 550, f"user unknown to {LONG}, blocked by the policy of the sender's host"),
    (Phase.RCPT, 550, "5.1.1 begoña.núñez no existe"),
    (Phase.RCPT, 552, f"{LONG} mailbox is full"),
    (Phase.RCPT, 451, "4.3.0 later"),
    (Phase.ANSWER, 554, "5.7.1 Spam message rejected"),
]


@pytest.mark.parametrize(("phase", "code", "words"), CRASHES)
def test_recovery_records_what_settlement_would_have_recorded(
    session: Session, tmp_path: Path, phase: Phase, code: int, words: str
) -> None:
    sender, group = left_behind(session, 2)
    settled, recovered = group.emails
    outcome = replies.classify(phase, code, words, at_ms=REPLY_MS)
    assert isinstance(outcome, Sent | Deferred | Rejected)
    mine = Recorder(tmp_path, sender, 2)
    mine.begin(group.id, [email.email_id for email in group.emails])
    for number in (0, 1):
        mine.answered(number, code, outcome.response.encode(), REPLY_MS, outcomes.to_byte(outcome))
    mine.abandon()
    (orphan,) = recorder.orphans(tmp_path)
    by_crash = {email.email_id: email for email in recover_all(session, sender, orphan.recording)}[recovered.email_id]
    at_once = transitions.decide(settled, outcome, now=NOW, moment=REPLIED)
    names = ("status", "sent_at", "response", "reason", "attempts", "dead_address")
    assert [getattr(by_crash, name) for name in names] == [getattr(at_once, name) for name in names]


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
    group = agenda.claim_queued(session, Claimant(sender, "campaign", 60, is_connected=True), limit=1, now=NOW)
    assert group is not None
    answered = {mail.id: slot(Mark.ANSWERED, 451, b"4.3.0 later", DEFERRED)}
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
    again = agenda.claim_queued(session, Claimant(sender, "transactional", 60, is_connected=True), limit=1, now=NOW)
    assert again is not None
    assert again.emails[0].message_id == group.emails[0].message_id


@pytest.mark.parametrize(("after_s", "count"), [(0.0, 1), (3600.0, 0)])
@pytest.mark.usefixtures("ledger")
def test_doubt_is_overdue_after_its_time(after_s: float, count: int) -> None:
    with transaction() as session:
        sender, _ = left_behind(session, 1)
        recover(session, sender, None)
    with transaction() as session:  # the database's clock moves on between transactions only
        assert len(in_doubt.overdue(session, ["transactional"], after_s=after_s)) == count
