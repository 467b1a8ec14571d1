"""A ledger with nearly every state and event, made by the product's own functions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import advance, campaigns, retries
from engine.delivery import early_events, in_doubt, outbox, recovery, settle
from engine.delivery.outcomes import Deferred, InDoubt, Outcome, Phase, Rejected, Sent
from engine.delivery.settle import OpenGroup
from engine.engagement import consent, reactions, reclassify
from engine.tracking.events import IncomingEvent
from models import ids
from tests import sends, sequence
from tests.sequence import NOW

DAY = timedelta(days=1)
_DEAD = Rejected(Phase.RCPT, 550, "5.1.1", "550 5.1.1 no such user", dead_address=True)
_LATER = Deferred(Phase.RCPT, 451, "4.3.0", "451 4.3.0 later")
_OUTCOMES: Sequence[Outcome] = (_DEAD, sequence.REFUSED, _LATER, InDoubt("lost"), InDoubt("lost"), InDoubt("lost"))

READER, UNSUBSCRIBED, RETURNED, COMPLAINER, DEAD_LATER, CONVERTED = range(6, 12)
PEOPLE = 20


class Ledger(NamedTuple):
    """The e-mails of step 1 by contact, and their contacts; a finished campaign, and a single send."""

    emails: list[UUID]
    contacts: list[UUID]
    campaign_id: UUID
    single: UUID


def make(session: Session) -> Ledger:
    """Send step 1 with every outcome, apply every kind of event, and leave step 2 partly claimed."""
    contacts = sequence.people(session, PEOPLE)
    campaign_id = sequence.create(session)
    campaigns.launch(session, campaign_id, now=NOW)
    emails = _send(session, contacts)
    single = _send_singles(session)
    _react(session, emails, now=NOW + timedelta(minutes=5))
    _change_consent(session, emails, now=NOW + timedelta(hours=2))
    in_doubt.resend(session, [emails[4]], now=NOW + timedelta(hours=3))
    assert retries.retry(session, campaign_id, "refused", now=NOW + timedelta(hours=4)).queued == 1
    sequence.send_due(session, now=NOW + DAY)
    sequence.take(session, now=NOW + 4 * DAY, limit=3)
    _enroll_the_stopped(session)
    return Ledger(emails, contacts, campaign_id, single)


def _send(session: Session, contacts: Sequence[UUID]) -> list[UUID]:
    """Settle step 1: the first contacts' e-mails with `_OUTCOMES`, the others as sent; return them by contact."""
    [group] = sequence.take(session, now=NOW)
    by_contact = {email.contact_id: email for email in group.emails}
    ordered = [by_contact[contact_id] for contact_id in contacts]
    outcomes = [*_OUTCOMES, *[Sent("250 2.0.0 queued")] * (len(contacts) - len(_OUTCOMES))]
    results = list(zip(ordered, outcomes, strict=True))
    settled = settle.settle(session, OpenGroup(group.id, group.step), results, now=NOW)
    advance.apply(session, settled, now=NOW)
    return [email.email_id for email in ordered]


def _send_singles(session: Session) -> UUID:
    """Send two e-mails outside of campaigns; the sender of a third one dies."""
    for _ in range(2):
        sent = outbox.add(session, [sends.request(40, template="aviso", lane="campaign")], now=NOW)
        sequence.send_due(session, now=NOW)
    outbox.add(session, [sends.request(41, lane="campaign")], now=NOW)
    sequence.take(session, now=NOW)
    sender_id = session.scalar(text("SELECT sender_id FROM send_groups WHERE state = 'open'"))
    settled = recovery.recover(session, sender_id, None, now=NOW, moment=lambda _: NOW)
    advance.apply(session, settled, now=NOW)
    return sent[0]


def _react(session: Session, emails: Sequence[UUID], *, now: datetime) -> None:
    """Record and apply events of every kind; one proves an e-mail in doubt as sent."""
    kinds = {READER: "clicked", COMPLAINER: "complained", CONVERTED: "converted", 3: "opened", 13: "replied"}
    arrivals = [IncomingEvent(emails[who], kind, now, source="human") for who, kind in kinds.items()]
    arrivals.append(IncomingEvent(emails[DEAD_LATER], "bounced", now, {"hard": True}))
    hit = {"method": "GET", "network": "microsoft", "prefix": "40.92.0.0/24", "agent": "curl/8.0", "link": 0}
    arrivals += [IncomingEvent(emails[who], "clicked", now, hit, key=f"{who}") for who in (READER, 14, 15)]
    early_events.record(session, arrivals, now=now)
    while reactions.apply(session, now=now):
        pass
    reclassify.page(session, reclassify.start(NOW), now + DAY, now=now)


def _change_consent(session: Session, emails: Sequence[UUID], *, now: datetime) -> None:
    for who in (UNSUBSCRIBED, RETURNED, CONVERTED):
        consent.apply(session, consent.change("unsubscribed", emails[who], now=now))
    while reactions.apply(session, now=now):
        pass
    later = now + timedelta(minutes=1)
    consent.apply(session, consent.change("resubscribed", emails[RETURNED], now=later))


def _enroll_the_stopped(session: Session) -> None:
    """Launch another campaign to everybody, some of whom are suppressed."""
    another = sequence.create(session, f"Invierno {ids.new()}", days=(0,))
    campaigns.launch(session, another, now=NOW + 4 * DAY)
