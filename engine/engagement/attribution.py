"""Attribution: classify all hits of an e-mail under the lock of its row, and derive its first opens and clicks."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.delivery import emails
from engine.delivery.emails import Email
from engine.tracking import bursts, hit_history, pending
from engine.tracking.bots.classifier import NEIGHBOURS_MAX
from engine.tracking.bots.hits import Classification
from engine.tracking.bursts import Bursts, Place
from engine.tracking.hit_history import History, Interaction
from engine.tracking.pending import PendingEvent
from models.email import TEST

Moments = dict[str, datetime]
Change = tuple[Interaction, Interaction]  # with the old and the new classification
_UNREAD = History([], is_whole=False)


@dataclass(slots=True)
class Batch:
    """Locked e-mails and their events, to be processed together.

    `own` maps the locked events to their e-mails. Of these, `unfinished` must be processed once more, and `classified`
    have been written. The first `neighbours` hits of an e-mail are compared with each other. `of_erased` is True if a
    contact of the events was erased.
    """

    emails: list[Email]
    bursts: Bursts
    own: dict[UUID, UUID]
    neighbours: int = NEIGHBOURS_MAX
    unfinished: frozenset[UUID] = frozenset()
    classified: frozenset[UUID] = frozenset()
    changes: list[Change] = field(default_factory=list)
    of_erased: bool = False


def lock(
    session: Session, events: Sequence[PendingEvent], *, widen: bool = True, neighbours: int = NEIGHBOURS_MAX
) -> Batch:
    """Lock the e-mails of these events; with `widen` also those with hits that now turn out to be part of a burst.

    Bursts are counted under the lock, so that the worker that applies a later hit of a burst counts ours. E-mails of a
    burst that others have locked are not waited for: our event of that burst remains unfinished and is processed again.
    """
    if not events:
        return Batch([], Bursts(), {})
    locked, of_erased = emails.lock(session, {event.email_id for event in events})
    places = {event.id: place for event in events if (place := _place(event))}
    counted = bursts.count(session, places.values())
    own = {event.id: event.email_id for event in events if event.event_type in ("opened", "clicked")}
    batch = Batch(locked, counted, own, neighbours, of_erased=of_erased)
    if widen and counted.unclassified:
        _widen(session, batch, places)
    return batch


def _widen(session: Session, batch: Batch, places: dict[UUID, Place]) -> None:
    locked = {email.id for email in batch.emails}
    others = {place: batch.bursts.unclassified.get(place, frozenset()) - locked for place in places.values()}
    more = emails.lock_free(session, set().union(*others.values()))
    batch.emails = batch.emails + more
    locked |= {email.id for email in more}
    incomplete = {place for place, email_ids in others.items() if email_ids - locked}
    batch.unfinished = frozenset(event_id for event_id, place in places.items() if place in incomplete)


def classify(session: Session, batch: Batch, *, now: datetime) -> list[tuple[Email, Moments]]:
    """Classify the hits of all e-mails of the batch and write it; return each e-mail with its first opens and clicks.

    If some hits of an e-mail may have been pruned, its moments can only become earlier.
    """
    affected = {*batch.own.values(), *set().union(*batch.bursts.unclassified.values())}
    email_ids = [email.id for email in batch.emails if email.id in affected]
    histories = hit_history.load(session, email_ids, batch.own, batch.bursts.hits, neighbours=batch.neighbours)
    loaded = dict(zip(email_ids, histories, strict=True))
    since = hit_history.horizon(session)
    classified = [_classified(batch, email, loaded.get(email.id, _UNREAD)) for email in batch.emails]
    _write(session, batch, now)
    reread = [each.email.id for each in classified if each.is_flipped and each.is_kept(since)]
    stored = hit_history.stored_moments(session, reread)
    return [(each.email, each.moments(stored, since)) for each in classified]


def _classified(batch: Batch, email: Email, history: History) -> "_ClassifiedEmail":
    after = hit_history.classify(
        history.interactions, sent_at=email.sent_at, bursts=batch.bursts.counts, neighbours=batch.neighbours
    )
    changes = hit_history.changed(history.interactions, after)
    batch.changes += changes
    is_flipped = not history.is_whole and any(map(_is_flipped, changes))
    return _ClassifiedEmail(email, after, history.is_whole, is_flipped)


def _is_flipped(change: Change) -> bool:
    """Return True if an applied hit changes from machine to something else, or back."""
    old, new = change
    return old.is_applied and (old.source == "machine") is not (new.source == "machine")


class _ClassifiedEmail(NamedTuple):
    """An e-mail with its loaded interactions after classification.

    Unless all of them are loaded, the e-mail's stored moments stand for the others; but if a hit is flipped, one of
    those moments may be that hit's.
    """

    email: Email
    interactions: list[Interaction]
    is_whole: bool
    is_flipped: bool

    def is_kept(self, since: datetime) -> bool:
        return self.email.accepted_at >= since

    def moments(self, stored: Mapping[UUID, Moments], since: datetime) -> Moments:
        derived = hit_history.moments(self.interactions)
        if self.is_whole and self.is_kept(since):
            return derived
        of_email = {kind: at for kind, at in self.email.moments.items() if kind in hit_history.KINDS}
        earlier = stored.get(self.email.id, of_email)
        return {**earlier, **{kind: min(at, earlier.get(kind, at)) for kind, at in derived.items()}}


def with_moments(email: Email, derived: Moments) -> Email:
    """Return the e-mail with its open and click moments replaced; its other moments stay."""
    others = {kind: at for kind, at in email.moments.items() if kind not in hit_history.KINDS}
    return email._replace(moments=others | derived)


def counts(before: Iterable[Email], after: Iterable[Email]) -> dict[rollups.Key, Counter[str]]:
    """Return the changes of the hourly counts: an e-mail that is no test counts once per kind, in its hour."""
    changes: dict[rollups.Key, Counter[str]] = defaultdict(Counter)
    for old, new in zip(before, after, strict=True):
        if old.moments == new.moments or new.kind == TEST:
            continue
        for kind in old.moments.keys() | new.moments.keys():
            was, now = old.moments.get(kind), new.moments.get(kind)
            if was != now:
                _count(changes, new, kind, now, 1)
                _count(changes, new, kind, was, -1)
    return changes


def _count(changes: dict[rollups.Key, Counter[str]], email: Email, kind: str, at: datetime | None, by: int) -> None:
    if at is not None:
        changes[rollups.Key(email.campaign_id, email.step, email.variant, at)][kind] += by


def _place(event: PendingEvent) -> Place | None:
    return bursts.place(event.network, event.prefix, event.timestamp)


def _write(session: Session, batch: Batch, now: datetime) -> None:
    """Write the classifications of applied events and of our own; those of pending ones are left to their appliers."""
    ours = batch.own.keys() - batch.unfinished
    changes = [new for _, new in batch.changes if new.is_applied or new.hit.id in ours]
    pending.write_classifications(
        session, [Classification(new.hit.id, new.source, new.reasons) for new in changes], now=now
    )
    batch.classified = frozenset(new.hit.id for new in changes)
