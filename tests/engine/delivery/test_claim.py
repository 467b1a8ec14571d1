"""Claiming groups of due e-mails, leases and fences."""

import threading
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import agenda
from engine.delivery import claim, outbox, senders, settle
from engine.delivery.claim import Claimant, Group
from engine.delivery.outcomes import Sent
from engine.delivery.settle import OpenGroup
from errors import Fenced
from models.session import transaction
from tests import sends
from tests.sends import NOW

LANE = "transactional"


def take(session: Session, sender: UUID, *, limit: int = 100, is_connected: bool = True) -> Group | None:
    return agenda.claim_queued(session, Claimant(sender, LANE, 60, is_connected), limit=limit, now=NOW)


def test_claim_returns_address_and_variables_decrypted(session: Session) -> None:
    sends.queue(session)
    group = take(session, sends.sender(session))
    assert group is not None
    email = group.emails[0]
    assert email.to == "persona0@empresa.example"
    assert email.variables["nombre"] == "Ana"
    assert sends.statuses(session, [email.email_id]) == ["sending"]


def test_claim_without_a_connection_waits_as_claimed_until_start(session: Session) -> None:
    ids = sends.queue(session, 2)
    group = take(session, sends.sender(session), is_connected=False)
    assert group is not None
    assert sends.statuses(session, ids) == ["claimed", "claimed"]
    claim.start(session, group)
    assert sends.statuses(session, ids) == ["sending", "sending"]


def test_claim_finds_nothing_before_the_email_is_due(session: Session) -> None:
    sends.queue(session, now=NOW + timedelta(seconds=1))
    assert take(session, sends.sender(session)) is None


def test_claim_takes_the_oldest_first_and_no_more_than_the_limit(session: Session) -> None:
    late = sends.queue(session, 1, now=NOW - timedelta(minutes=1))
    early = sends.queue(session, 1, now=NOW - timedelta(hours=1))
    group = take(session, sends.sender(session), limit=1)
    assert group is not None
    assert [email.email_id for email in group.emails] == early
    assert sends.statuses(session, late) == ["queued"]


def test_four_concurrent_claims_never_claim_an_email_twice(ledger: str) -> None:
    with transaction() as session:
        sends.queue(session, 400)
        claimers = [sends.sender(session) for _ in range(4)]
    claimed: list[UUID] = []

    def claim_all(sender: UUID) -> None:
        while True:
            with transaction() as session:
                group = take(session, sender, limit=7)
            if group is None:
                return
            claimed.extend(email.email_id for email in group.emails)

    threads = [threading.Thread(target=claim_all, args=(sender,)) for sender in claimers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 400
    assert max(Counter(claimed).values()) == 1


def test_claim_cancels_an_email_whose_contact_is_suppressed(session: Session) -> None:
    ids = sends.queue(session, 2)
    contact_id = outbox.details(session, ids[0]).contact_id
    suppressions.add(session, [contact_id], "unsubscribed", now=NOW)
    group = take(session, sends.sender(session))
    assert group is not None
    assert [email.email_id for email in group.emails] == [ids[1]]
    assert sends.statuses(session, ids) == ["cancelled", "sending"]
    assert outbox.details(session, ids[0]).reason == "unsubscribed"


@pytest.mark.parametrize(("reason", "goes_out"), [("unsubscribed", True), ("hard_bounce", False), ("complaint", False)])
def test_a_transactional_email_is_cancelled_only_after_a_bounce_or_complaint(
    session: Session, reason: str, goes_out: bool
) -> None:
    ids = sends.queue(session, 1, kind="transactional")
    suppressions.add(session, [outbox.details(session, ids[0]).contact_id], reason, now=NOW)
    take(session, sends.sender(session))
    assert sends.statuses(session, ids) == ["sending" if goes_out else "cancelled"]


def test_a_fenced_sender_may_not_write(session: Session) -> None:
    sender = sends.sender(session)
    senders.hold(session, sender)
    senders.fence(session, sender)
    with pytest.raises(Fenced):
        senders.hold(session, sender)


def test_the_fence_waits_for_a_transaction_that_holds(ledger: str) -> None:
    with transaction() as session:
        sender = sends.sender(session)
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


def test_renew_extends_the_lease_of_an_open_group_only(session: Session) -> None:
    sends.queue(session)
    group = take(session, sends.sender(session))
    assert group is not None
    claim.renew(session, group.id, lease_s=600)
    left = session.scalar(text("SELECT extract(epoch FROM leased_until - now()) FROM send_groups"))
    assert left == 600
    settle.settle(session, OpenGroup(group.id), [(group.emails[0], Sent("250 ok"))], now=NOW)
    with pytest.raises(Fenced):
        claim.renew(session, group.id, lease_s=600)


def test_the_database_refuses_an_unknown_status(session: Session) -> None:
    ids = sends.queue(session)
    with pytest.raises(IntegrityError, match="ck_emails_status_known"), session.begin_nested():
        session.execute(text("UPDATE emails SET status = 'lost' WHERE id = :id"), {"id": ids[0]})
    assert sends.statuses(session, ids) == ["queued"]
