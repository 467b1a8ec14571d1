"""A group from claim to settlement, against a real ledger."""

import threading
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.delivery import claim, outbox, senders, settle
from engine.delivery.claim import Claimant, Group
from engine.delivery.outcomes import Deferred, InDoubt, Outcome, Paced, Phase, Rejected, Sent, Untried
from errors import Fenced
from models.session import transaction
from tests import orders
from tests.conftest import environment
from tests.orders import NOW

LANE = "transactional"


def take(session: Session, sender: UUID, *, limit: int = 100, started: bool = True) -> Group | None:
    return claim.claim(session, Claimant(sender, LANE, 60, started), limit=limit, now=NOW)


def settle_all(session: Session, outcomes: list[Outcome]) -> list[UUID]:
    """One sent group with these outcomes; the ids in the same order."""
    orders.queue(session, len(outcomes))
    group = take(session, orders.sender(session))
    assert group is not None
    settle.settle(session, group.id, list(zip(group.emails, outcomes, strict=True)), now=NOW)
    return [email.email_id for email in group.emails]


def column(session: Session, email_id: UUID, name: str) -> object:
    row = session.execute(text("SELECT * FROM emails WHERE id = :id"), {"id": email_id}).mappings().one()
    return row[name]


def test_claim_hands_out_address_and_variables_decrypted(session: Session) -> None:
    orders.queue(session)
    group = take(session, orders.sender(session))
    assert group is not None
    email = group.emails[0]
    assert email.to == "persona0@empresa.example"
    assert email.variables["nombre"] == "Ana"
    assert orders.statuses(session, [email.email_id]) == ["sending"]


def test_claim_without_a_connection_waits_as_claimed_until_start(session: Session) -> None:
    ids = orders.queue(session, 2)
    group = take(session, orders.sender(session), started=False)
    assert group is not None
    assert orders.statuses(session, ids) == ["claimed", "claimed"]
    claim.start(session, group)
    assert orders.statuses(session, ids) == ["sending", "sending"]


def test_claim_finds_nothing_before_the_mail_is_due(session: Session) -> None:
    orders.queue(session, now=NOW + timedelta(seconds=1))
    assert take(session, orders.sender(session)) is None


def test_claim_takes_the_oldest_first_and_no_more_than_the_limit(session: Session) -> None:
    late = orders.queue(session, 1, now=NOW - timedelta(minutes=1))
    early = orders.queue(session, 1, now=NOW - timedelta(hours=1))
    group = take(session, orders.sender(session), limit=1)
    assert group is not None
    assert [email.email_id for email in group.emails] == early
    assert orders.statuses(session, late) == ["queued"]


def test_four_claimers_at_once_never_take_the_same_mail(ledger: str) -> None:
    with transaction() as session:
        orders.queue(session, 400)
        claimers = [orders.sender(session) for _ in range(4)]
    taken: list[UUID] = []

    def claim_all(sender: UUID) -> None:
        while True:
            with transaction() as session:
                group = take(session, sender, limit=7)
            if group is None:
                return
            taken.extend(email.email_id for email in group.emails)

    threads = [threading.Thread(target=claim_all, args=(sender,)) for sender in claimers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 400
    assert max(Counter(taken).values()) == 1


def test_claim_cancels_what_may_not_be_mailed_any_more(session: Session) -> None:
    ids = orders.queue(session, 2)
    contact_id = outbox.details(session, ids[0]).contact_id
    suppressions.add(session, [contact_id], "unsubscribed", now=NOW)
    group = take(session, orders.sender(session))
    assert group is not None
    assert [dropped.email_id for dropped in group.dropped] == [ids[0]]
    assert orders.statuses(session, ids) == ["cancelled", "sending"]
    assert outbox.details(session, ids[0]).reason == "unsubscribed"


@pytest.mark.parametrize(("reason", "goes_out"), [("unsubscribed", True), ("hard_bounce", False), ("complaint", False)])
def test_a_transactional_mail_obeys_only_death_and_complaint(session: Session, reason: str, goes_out: bool) -> None:
    ids = orders.queue(session, 1, kind="transactional")
    suppressions.add(session, [outbox.details(session, ids[0]).contact_id], reason, now=NOW)
    take(session, orders.sender(session))
    assert orders.statuses(session, ids) == ["sending" if goes_out else "cancelled"]


def test_settle_writes_each_outcome_in_its_own_words(session: Session) -> None:
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
    assert orders.statuses(session, ids) == ["sent", "failed", "failed", "queued", "in_doubt", "queued"]
    assert [column(session, email_id, "reason") for email_id in ids[:4]] == [None, "hard_bounce", "refused", "deferred"]
    assert [column(session, email_id, "attempts") for email_id in ids] == [1, 1, 1, 1, 1, 0]
    assert column(session, ids[0], "sent_at") == NOW
    counts = session.execute(text("SELECT state, answered, given_back, in_doubt FROM send_groups")).one()
    assert tuple(counts) == ("settled", 4, 1, 1)


def test_the_ledger_keeps_the_relay_of_the_last_attempt(session: Session) -> None:
    orders.queue(session, 2)
    later = Deferred(Phase.RCPT, 451, None, "451 later")
    for relay, outcome in (("one:587", later), ("two:25", Untried("dropped")), ("three:25", Untried("dropped"))):
        group = claim.claim(
            session,
            Claimant(orders.sender(session), LANE, 60, is_connected=True),
            limit=1,
            now=NOW + timedelta(minutes=7),
        )
        assert group is not None
        results = [(group.emails[0], outcome)]
        settle.settle(session, group.id, results, relay=relay, now=NOW)
    told = session.execute(text("SELECT attempts, relay FROM emails ORDER BY attempts")).all()
    assert [tuple(row) for row in told] == [(0, None), (1, "one:587")]


def test_a_deferred_mail_comes_due_after_the_back_off(session: Session) -> None:
    ids = settle_all(session, [Deferred(Phase.RCPT, 451, "4.3.0", "451 later")])
    due_at = column(session, ids[0], "due_at")
    assert NOW + timedelta(minutes=4) <= due_at <= NOW + timedelta(minutes=6)  # type: ignore[operator]  # 5 ± 20 %


@pytest.mark.parametrize(("retry_minutes", "pause_s"), [("5,15", (60, 60)), ("0.1,5", (4.8, 7.2))])
def test_a_mail_whose_connections_broke_waits_a_minute_or_as_long_as_a_refused_one(
    session: Session, retry_minutes: str, pause_s: tuple[float, float]
) -> None:
    with environment(RETRY_MINUTES=retry_minutes):
        (email_id,) = settle_all(session, [Untried("the relay closed the connection")])
    due_at = column(session, email_id, "due_at")
    assert isinstance(due_at, datetime)
    assert pause_s[0] <= (due_at - NOW).total_seconds() <= pause_s[1]


def test_a_mail_that_came_too_early_for_a_limit_is_due_at_its_turn_and_uncharged(session: Session) -> None:
    (email_id,) = settle_all(session, [Paced(90.0)])
    state = [column(session, email_id, name) for name in ("status", "due_at", "attempts", "reason", "response")]
    assert state == ["queued", NOW + timedelta(seconds=90), 0, None, None]


def test_a_mail_deferred_past_its_time_fails_as_expired(session: Session) -> None:
    orders.queue(session, now=NOW - timedelta(hours=73))
    group = take(session, orders.sender(session))
    assert group is not None
    settle.settle(session, group.id, [(group.emails[0], Deferred(Phase.RCPT, 451, None, "451 later"))], now=NOW)
    details = outbox.details(session, group.emails[0].email_id)
    assert (details.status, details.reason) == ("failed", "expired")


def test_message_id_is_the_same_on_every_attempt(session: Session) -> None:
    orders.queue(session)
    sender = orders.sender(session)
    first = take(session, sender)
    assert first is not None
    settle.settle(session, first.id, [(first.emails[0], Untried(""))], now=NOW)
    second = take(session, sender)
    assert second is not None
    assert second.emails[0].message_id == first.emails[0].message_id
    assert first.emails[0].message_id.split("@") == [first.emails[0].email_id.hex, "cadencia.example"]


def test_settling_twice_is_refused(session: Session) -> None:
    orders.queue(session)
    group = take(session, orders.sender(session))
    assert group is not None
    results: list[tuple[claim.ClaimedEmail, Outcome]] = [(group.emails[0], Sent("250 ok"))]
    settle.settle(session, group.id, results, now=NOW)
    with pytest.raises(Fenced, match="given to others"):
        settle.settle(session, group.id, results, now=NOW)


def test_a_fenced_sender_may_not_write(session: Session) -> None:
    sender = orders.sender(session)
    senders.hold(session, sender)
    senders.fence(session, sender)
    with pytest.raises(Fenced):
        senders.hold(session, sender)


def test_the_fence_waits_for_a_transaction_that_holds(ledger: str) -> None:
    with transaction() as session:
        sender = orders.sender(session)
    fenced = threading.Event()

    def fence() -> None:
        with transaction() as other:
            senders.fence(other, sender)
        fenced.set()

    with transaction() as session:
        senders.hold(session, sender)
        thread = threading.Thread(target=fence)
        thread.start()
        assert not fenced.wait(0.3)
    assert fenced.wait(5)
    thread.join()


def test_renewing_lengthens_the_lease_of_an_open_group_only(session: Session) -> None:
    orders.queue(session)
    group = take(session, orders.sender(session))
    assert group is not None
    claim.renew(session, group.id, lease_s=600)
    left = session.scalar(text("SELECT extract(epoch FROM leased_until - now()) FROM send_groups"))
    assert left == 600
    settle.settle(session, group.id, [(group.emails[0], Sent("250 ok"))], now=NOW)
    with pytest.raises(Fenced):
        claim.renew(session, group.id, lease_s=600)


def test_the_database_refuses_a_status_nobody_knows(session: Session) -> None:
    ids = orders.queue(session)
    with pytest.raises(IntegrityError, match="ck_emails_status_known"), session.begin_nested():
        session.execute(text("UPDATE emails SET status = 'lost' WHERE id = :id"), {"id": ids[0]})
    assert orders.statuses(session, ids) == ["queued"]
