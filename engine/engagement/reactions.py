"""Apply events: opens, clicks, conversions, replies, bounces and complaints change e-mails, contacts and sequences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.audience import contact_flags, suppressions
from engine.audience.contact_flags import Changes
from engine.campaigns import advance, auto_pause, stops
from engine.campaigns.stops import Cause
from engine.delivery import emails
from engine.delivery.emails import Email
from engine.engagement import attribution
from engine.tracking import hit_history, pending, retention
from engine.tracking.bots.classifier import NEIGHBOURS_MAX
from engine.tracking.pending import PendingEvent
from models.email import TEST

SUPPRESSES = {"unsubscribed": "unsubscribed", "bounced": "hard_bounce", "complained": "complaint"}
# Events that only a recipient or a receiving server can cause prove that the e-mail was sent (rule R11).
PROVES_SENDING = {"opened", "clicked", "replied", "auto_replied", "unsubscribed", "bounced", "complained"}
# These become the status of a sent e-mail; the last one in this list counts. Until it is sent, the sender owns the
# status.
SETS_STATUS = ("bounced", "complained")
AFTERWARDS = ("sent", *SETS_STATUS)
UNSETTLED = ("claimed", "sending")
# Moments that can only become earlier; and the kinds with flags, which a new classification may remove.
_MERGED = frozenset(emails.KINDS) - frozenset(hit_history.KINDS)
_FLAGGED = frozenset(("opened", "clicked"))
# The only events of a test that concern its contact: the person's own decisions about all our e-mails.
_OF_TESTS = frozenset(("unsubscribed", "complained"))

# By e-mail: the earliest moment of each kind of event.
Moments = Mapping[UUID, Mapping[str, datetime]]


class _Action(NamedTuple):
    """The first event of a kind of an e-mail, as an action of its contact."""

    kind: str
    step: int | None
    at: datetime


def apply(session: Session, *, now: datetime, limit: int = 1000, neighbours: int = NEIGHBOURS_MAX) -> int:
    """Apply up to `limit` pending events, oldest first, and up to as many more of the same e-mails.

    Returns their number; fewer than `limit` means that none is left. About a dozen statements for any number of events.
    Events may arrive late, twice or in any order: the result is the same. Concurrent calls share the events; they lock
    e-mails, then contacts, then rollups, each in the order of their keys. After a deadlock the transaction may be
    repeated. The first `neighbours` hits of an e-mail are compared with each other.
    """
    return apply_locked(session, pending.lock(session, limit=limit), now=now, neighbours=neighbours)


def apply_locked(
    session: Session, events: Sequence[PendingEvent], *, now: datetime, neighbours: int = NEIGHBOURS_MAX
) -> int:
    """Apply events that this transaction has locked, as `apply` does; return their number."""
    relevant = [event for event in events if _is_relevant(event)]
    batch = attribution.lock(session, relevant, neighbours=neighbours)
    if batch.emails:
        _react(session, relevant, batch, now)
    premature = _premature(batch.emails, relevant)
    pending.hold(session, premature)
    written = batch.classified.union(batch.unfinished, premature)
    pending.finish(session, [event.id for event in events if event.id not in written], now=now)
    if batch.of_erased or len(relevant) < len(events):  # the contacts of the other events were not read
        retention.erase_applied(session, [event.id for event in events])
    return len(events)


def _react(session: Session, events: Sequence[PendingEvent], batch: attribution.Batch, now: datetime) -> None:
    earliest = _earliest(events)
    before = batch.emails = _proved(session, batch.emails, earliest, now)
    derived = attribution.classify(session, batch, now=now)
    after = [_after(email, moments, earliest[email.id]) for email, moments in derived]
    emails.record_events(session, [new for old, new in zip(before, after, strict=True) if new != old])
    contact_flags.recompute(session, _with_lost_flags(before, after), now=now)
    actions = _by_contact(before, after, earliest)
    contact_flags.add(session, _summaries(actions), now=now)
    _suppress(session, actions, now)
    stops.stop_for(session, _causes(actions), now=now)
    counts = attribution.counts(before, after)
    rollups.add(session, counts)
    auto_pause.check(session, counts)


def _is_relevant(event: PendingEvent) -> bool:
    """Return False for an event that changes nothing: one reported by a machine, or the bounce of a full mailbox.

    An automatic reply is relevant, as it proves that the e-mail arrived; opens and clicks are, whatever their source.
    """
    if event.event_type == "bounced":
        return event.hard and event.source != "machine"
    return event.source != "machine" or event.event_type in ("auto_replied", "opened", "clicked")


def _earliest(events: Iterable[PendingEvent]) -> Moments:
    """Return the earliest moment of each kind of event, by e-mail."""
    earliest: dict[UUID, dict[str, datetime]] = defaultdict(dict)
    for event in events:
        moments = earliest[event.email_id]
        moments[event.event_type] = min(event.timestamp, moments.get(event.event_type, event.timestamp))
    return earliest


def _proved(session: Session, locked: Sequence[Email], earliest: Moments, now: datetime) -> list[Email]:
    """Record e-mails in doubt as sent if an event proves it; return all e-mails."""
    doubtful = [
        email.id for email in locked if email.status == "in_doubt" and earliest[email.id].keys() & PROVES_SENDING
    ]
    if not doubtful:
        return list(locked)
    sent = {email.email_id for email in advance.prove(session, doubtful, now=now)}
    return [email._replace(status="sent", sent_at=now) if email.id in sent else email for email in locked]


def _after(email: Email, derived: Mapping[str, datetime], earliest: Mapping[str, datetime]) -> Email:
    """Return the e-mail after its events: the earliest moment of each kind, and the most severe status."""
    before = email.moments
    moments = {**{kind: at for kind, at in before.items() if kind in _MERGED}, **derived}
    for kind in earliest.keys() & _MERGED:
        moments[kind] = min(earliest[kind], before.get(kind, earliest[kind]))
    if email.status not in AFTERWARDS:
        return email._replace(moments=moments)
    status = next(status for status in reversed(AFTERWARDS) if status in moments or status == "sent")
    return email._replace(status=status, moments=moments)


def _premature(locked: Iterable[Email], events: Iterable[PendingEvent]) -> list[UUID]:
    """Return bounces and complaints of e-mails not yet recorded as sent; they set the status once they are."""
    unsettled = {email.id for email in locked if email.status in UNSETTLED}
    return [event.id for event in events if event.email_id in unsettled and event.event_type in SETS_STATUS]


def _with_lost_flags(before: Iterable[Email], after: Iterable[Email]) -> set[UUID]:
    """Return the contacts of e-mails that no longer count as opened or clicked."""
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if new.step]
    return {new.contact_id for old, new in pairs if old.moments.keys() & _FLAGGED - new.moments.keys()}


def _by_contact(before: Iterable[Email], after: Iterable[Email], earliest: Moments) -> dict[UUID, list[_Action]]:
    """Return the new actions by contact: opens and clicks not known before, and all other events; few of a test."""
    actions: dict[UUID, list[_Action]] = defaultdict(list)
    for old, email in zip(before, after, strict=True):
        new = [kind for kind in _FLAGGED if kind in email.moments and kind not in old.moments]
        own = [_Action(kind, email.step, email.moments[kind]) for kind in new]
        own += [_Action(kind, email.step, at) for kind, at in earliest[email.id].items() if kind not in _FLAGGED]
        if email.kind == TEST:
            own = [action for action in own if action.kind in _OF_TESTS]
        if own:
            actions[email.contact_id] += own
    return actions


def _summaries(actions: Mapping[UUID, Iterable[_Action]]) -> dict[UUID, Changes]:
    return {contact_id: summary for contact_id, own in actions.items() if (summary := _summary(own)) != Changes()}


def _summary(actions: Iterable[_Action]) -> Changes:
    flags = {f"email_{action.step}_{action.kind}" for action in actions if action.kind in _FLAGGED and action.step}
    converted_at = min((action.at for action in actions if action.kind == "converted"), default=None)
    endings = [action.kind for action in actions if action.kind in stops.CAUSES]
    return Changes(frozenset(flags), converted_at, max(endings, key=contact_flags.STATUSES.index, default=None))


def _suppress(session: Session, actions: Mapping[UUID, Iterable[_Action]], now: datetime) -> None:
    for kind, reason in SUPPRESSES.items():
        contact_ids = [contact_id for contact_id, own in actions.items() if any(action.kind == kind for action in own)]
        if contact_ids:
            suppressions.add(session, contact_ids, reason, now=now)


def _causes(actions: Mapping[UUID, Iterable[_Action]]) -> dict[UUID, Cause]:
    causes = {
        contact_id: [Cause(action.at, action.kind) for action in own if action.kind in stops.CAUSES]
        for contact_id, own in actions.items()
    }
    return {contact_id: min(own) for contact_id, own in causes.items() if own}
