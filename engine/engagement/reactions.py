"""Reactions: what the opens, clicks, conversions, replies and complaints that came in change."""

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
from engine.delivery import emails, in_doubt
from engine.delivery.emails import Email
from engine.engagement import attribution
from engine.tracking import hit_history, pending
from engine.tracking.pending import Taken

SUPPRESSES = {"unsubscribed": "unsubscribed", "bounced": "hard_bounce", "complained": "complaint"}
# What only somebody who has the mail, or a server that had it, can have caused shows that it was sent (rule R11).
PROVES_SENDING = {"opened", "clicked", "replied", "auto_replied", "unsubscribed", "bounced", "complained"}
# These become the status of a mail that was sent, the later one winning; until then the status is its sender's.
SETS_STATUS = ("bounced", "complained")
AFTERWARDS = ("sent", *SETS_STATUS)
ON_ITS_WAY = ("claimed", "sending")
# Moments that only ever move back, and those of opens and clicks that flags tell of, which verdicts may take away.
_MERGED = frozenset(emails.KINDS) - frozenset(hit_history.KINDS)
_FLAGGED = frozenset(("opened", "clicked"))

# By e-mail: the earliest moment of each kind of event.
Moments = Mapping[UUID, Mapping[str, datetime]]


class _Deed(NamedTuple):
    """One kind of event on one mail, as its contact's doing."""

    kind: str
    step: int | None
    at: datetime


def apply(session: Session, *, now: datetime, limit: int = 1000) -> int:
    """Apply up to `limit` events, the first received first, and as many more that wait of the same mails.

    Returns how many were taken, fewer than `limit` at the end.

    A dozen statements, however many events. Events may come late, twice or in any order: the tables end the same.
    Two at once share the events between them; they lock mails, then contacts, then rollups, each in the order of
    their keys. A deadlock with others undoes all of it, and it may run again.
    """
    return apply_taken(session, pending.take(session, limit=limit), now=now)


def apply_taken(session: Session, taken: Sequence[Taken], *, now: datetime) -> int:
    """Apply events whose rows this transaction has locked, as `apply` does; how many they are."""
    moving = [event for event in taken if _moves(event)]
    batch = attribution.lock(session, moving)
    if batch.mails:
        _react(session, moving, batch, now)
    too_early = _too_early(batch.mails, moving)
    pending.put_back(session, too_early)
    seen_to = batch.judged.union(batch.unfinished, too_early)
    pending.finish(session, [event.id for event in taken if event.id not in seen_to], now=now)
    return len(taken)


def _react(session: Session, moving: Sequence[Taken], batch: attribution.Batch, now: datetime) -> None:
    came = _earliest(moving)
    batch.mails = _proved(session, batch.mails, came, now)
    after = [_after(mail, moments, came[mail.id]) for mail, moments in attribution.judge(session, batch, now=now)]
    emails.record_events(session, [new for old, new in zip(batch.mails, after, strict=True) if new != old])
    contact_flags.recompute(session, _unseen(batch.mails, after), now=now)
    deeds = _by_contact(batch.mails, after, came)
    contact_flags.add(session, _summaries(deeds), now=now)
    _suppress(session, deeds, now)
    stops.stop_for(session, _causes(deeds), now=now)
    counts = attribution.counts(batch.mails, after)
    rollups.add(session, counts)
    auto_pause.check(session, counts)


def _moves(event: Taken) -> bool:
    """Whether it can change anything: a machine's report does not, nor does a mailbox that is only full.

    An automatic answer does, though a machine wrote it: it shows that the mail arrived. So do opens and clicks,
    whoever made them.
    """
    if event.event_type == "bounced":
        return event.hard and event.source != "machine"
    return event.source != "machine" or event.event_type in ("auto_replied", "opened", "clicked")


def _earliest(moving: Iterable[Taken]) -> Moments:
    """By mail, the earliest moment of each kind of event."""
    came: dict[UUID, dict[str, datetime]] = defaultdict(dict)
    for event in moving:
        moments = came[event.email_id]
        moments[event.event_type] = min(event.timestamp, moments.get(event.event_type, event.timestamp))
    return came


def _proved(session: Session, mails: Sequence[Email], came: Moments, now: datetime) -> list[Email]:
    """The mails, those in doubt recorded as sent if something shows that they were."""
    doubted = [mail.id for mail in mails if mail.status == "in_doubt" and came[mail.id].keys() & PROVES_SENDING]
    if not doubted:
        return list(mails)
    proved = in_doubt.prove(session, doubted, now=now)
    advance.settled(session, proved, now=now)
    sent = {mail.email_id for mail in proved}
    return [mail._replace(status="sent", sent_at=now) if mail.id in sent else mail for mail in mails]


def _after(mail: Email, derived: Mapping[str, datetime], came: Mapping[str, datetime]) -> Email:
    """The mail with what came: each moment the earliest known, the status the worst that befell it."""
    known = mail.moments
    moments = {**{kind: at for kind, at in known.items() if kind in _MERGED}, **derived}
    for kind in came.keys() & _MERGED:
        moments[kind] = min(came[kind], known.get(kind, came[kind]))
    if mail.status not in AFTERWARDS:
        return mail._replace(moments=moments)
    status = next(status for status in reversed(AFTERWARDS) if status in moments or status == "sent")
    return mail._replace(status=status, moments=moments)


def _too_early(mails: Iterable[Email], moving: Iterable[Taken]) -> list[UUID]:
    """Bounces and complaints that overtook the record of the sending: they set the mail's status once it is sent."""
    going = {mail.id for mail in mails if mail.status in ON_ITS_WAY}
    return [event.id for event in moving if event.email_id in going and event.event_type in SETS_STATUS]


def _unseen(before: Iterable[Email], after: Iterable[Email]) -> set[UUID]:
    """The contacts who, as it turns out, did not open or click something that they seemed to."""
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if new.step]
    return {new.contact_id for old, new in pairs if old.moments.keys() & _FLAGGED - new.moments.keys()}


def _by_contact(before: Iterable[Email], after: Iterable[Email], came: Moments) -> dict[UUID, list[_Deed]]:
    """What is new of each contact: opens and clicks not known before, and every other event that came."""
    deeds: dict[UUID, list[_Deed]] = defaultdict(list)
    for old, mail in zip(before, after, strict=True):
        seen = [kind for kind in _FLAGGED if kind in mail.moments and kind not in old.moments]
        did = [_Deed(kind, mail.step, mail.moments[kind]) for kind in seen]
        did += [_Deed(kind, mail.step, at) for kind, at in came[mail.id].items() if kind not in _FLAGGED]
        if did:
            deeds[mail.contact_id] += did
    return deeds


def _summaries(deeds: Mapping[UUID, Iterable[_Deed]]) -> dict[UUID, Changes]:
    return {contact_id: summary for contact_id, did in deeds.items() if (summary := _summary(did)) != Changes()}


def _summary(deeds: Iterable[_Deed]) -> Changes:
    seen = {f"email_{deed.step}_{deed.kind}" for deed in deeds if deed.kind in _FLAGGED and deed.step}
    converted_at = min((deed.at for deed in deeds if deed.kind == "converted"), default=None)
    endings = [deed.kind for deed in deeds if deed.kind in stops.CAUSES]
    return Changes(frozenset(seen), converted_at, max(endings, key=contact_flags.STATUSES.index, default=None))


def _suppress(session: Session, deeds: Mapping[UUID, Iterable[_Deed]], now: datetime) -> None:
    for kind, reason in SUPPRESSES.items():
        contact_ids = [contact_id for contact_id, did in deeds.items() if any(deed.kind == kind for deed in did)]
        if contact_ids:
            suppressions.add(session, contact_ids, reason, now=now)


def _causes(deeds: Mapping[UUID, Iterable[_Deed]]) -> dict[UUID, Cause]:
    causes = {
        contact_id: [Cause(deed.at, deed.kind) for deed in did if deed.kind in stops.CAUSES]
        for contact_id, did in deeds.items()
    }
    return {contact_id: min(found) for contact_id, found in causes.items() if found}
