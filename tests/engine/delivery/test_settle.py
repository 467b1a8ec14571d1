"""Settling groups: the status, reason and due time that each outcome gives an e-mail."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import agenda
from engine.delivery import claim, outbox, settle
from engine.delivery.claim import Claimant, Group
from engine.delivery.outcomes import Deferred, InDoubt, Outcome, Paced, Phase, Rejected, Sent, Untried
from engine.delivery.settle import OpenGroup
from errors import Fenced
from tests import sends
from tests.conftest import environment
from tests.sends import NOW

LANE = "transactional"


def take(session: Session, sender: UUID) -> Group | None:
    return agenda.claim_queued(session, Claimant(sender, LANE, 60, is_connected=True), limit=100, now=NOW)


def settle_all(session: Session, outcomes: list[Outcome]) -> list[UUID]:
    """Settle a group with these outcomes; return the ids of its e-mails in the same order."""
    sends.queue(session, len(outcomes))
    group = take(session, sends.sender(session))
    assert group is not None
    settle.settle(session, OpenGroup(group.id), list(zip(group.emails, outcomes, strict=True)), now=NOW)
    return [email.email_id for email in group.emails]


def column(session: Session, email_id: UUID, name: str) -> object:
    row = session.execute(text("SELECT * FROM emails WHERE id = :id"), {"id": email_id}).mappings().one()
    return row[name]


def test_settle_records_each_outcome(session: Session) -> None:
    ids = settle_all(
        session,
        [
            Sent("250 2.0.0 queued as 1"),
            Rejected(Phase.RCPT, 550, "5.1.1", "550 5.1.1 nobody", dead_address=True),
            Rejected(Phase.DATA, 554, "5.7.1", "554 5.7.1 policy", dead_address=False),
            Deferred(Phase.RCPT, 451, "4.3.0", "451 4.3.0 later"),
            InDoubt("connection lost"),
            Untried(""),
        ],
    )
    assert sends.statuses(session, ids) == ["sent", "failed", "failed", "queued", "in_doubt", "queued"]
    assert [column(session, email_id, "reason") for email_id in ids[:4]] == [None, "hard_bounce", "refused", "deferred"]
    assert [column(session, email_id, "attempts") for email_id in ids] == [1, 1, 1, 1, 1, 0]
    assert column(session, ids[0], "sent_at") == NOW
    counts = session.execute(text("SELECT state, answered, given_back, in_doubt FROM send_groups")).one()
    assert tuple(counts) == ("settled", 4, 1, 1)


def test_settle_records_the_relay_of_the_last_attempt(session: Session) -> None:
    sends.queue(session, 2)
    later = Deferred(Phase.RCPT, 451, None, "451 later")
    for relay, outcome in (("one:587", later), ("two:25", Untried("dropped")), ("three:25", Untried("dropped"))):
        group = agenda.claim_queued(
            session,
            Claimant(sends.sender(session), LANE, 60, is_connected=True),
            limit=1,
            now=NOW + timedelta(minutes=7),
        )
        assert group is not None
        results = [(group.emails[0], outcome)]
        settle.settle(session, OpenGroup(group.id, relay=relay), results, now=NOW)
    rows = session.execute(text("SELECT attempts, relay FROM emails ORDER BY attempts")).all()
    assert [tuple(row) for row in rows] == [(0, None), (1, "one:587")]


def test_a_deferred_email_is_due_after_the_back_off(session: Session) -> None:
    ids = settle_all(session, [Deferred(Phase.RCPT, 451, "4.3.0", "451 later")])
    due_at = column(session, ids[0], "due_at")
    assert NOW + timedelta(minutes=4) <= due_at <= NOW + timedelta(minutes=6)  # type: ignore[operator]  # 5 ± 20 %


@pytest.mark.parametrize(("retry_minutes", "pause_s"), [("5,15", (60, 60)), ("0.1,5", (4.8, 7.2))])
def test_an_email_whose_connection_broke_is_due_after_a_minute_or_the_first_back_off(
    session: Session, retry_minutes: str, pause_s: tuple[float, float]
) -> None:
    with environment(RETRY_MINUTES=retry_minutes):
        (email_id,) = settle_all(session, [Untried("the relay closed the connection")])
    due_at = column(session, email_id, "due_at")
    assert isinstance(due_at, datetime)
    assert pause_s[0] <= (due_at - NOW).total_seconds() <= pause_s[1]


def test_an_email_over_a_rate_limit_is_due_at_its_turn_without_an_attempt(session: Session) -> None:
    (email_id,) = settle_all(session, [Paced(90.0)])
    state = [column(session, email_id, name) for name in ("status", "due_at", "attempts", "reason", "response")]
    assert state == ["queued", NOW + timedelta(seconds=90), 0, None, None]


def test_an_email_deferred_past_its_time_fails_as_expired(session: Session) -> None:
    sends.queue(session, now=NOW - timedelta(hours=73))
    group = take(session, sends.sender(session))
    assert group is not None
    settle.settle(
        session, OpenGroup(group.id), [(group.emails[0], Deferred(Phase.RCPT, 451, None, "451 later"))], now=NOW
    )
    details = outbox.details(session, group.emails[0].email_id)
    assert (details.status, details.reason) == ("failed", "expired")


def test_message_id_is_the_same_on_every_attempt(session: Session) -> None:
    sends.queue(session)
    sender = sends.sender(session)
    first = take(session, sender)
    assert first is not None
    settle.settle(session, OpenGroup(first.id), [(first.emails[0], Untried(""))], now=NOW)
    second = take(session, sender)
    assert second is not None
    assert second.emails[0].message_id == first.emails[0].message_id
    assert first.emails[0].message_id.split("@") == [first.emails[0].email_id.hex, "cadencia.example"]


def test_settling_twice_is_refused(session: Session) -> None:
    sends.queue(session)
    group = take(session, sends.sender(session))
    assert group is not None
    results: list[tuple[claim.ClaimedEmail, Outcome]] = [(group.emails[0], Sent("250 ok"))]
    settle.settle(session, OpenGroup(group.id), results, now=NOW)
    with pytest.raises(Fenced, match="taken over the rest"):
        settle.settle(session, OpenGroup(group.id), results, now=NOW)
