"""Deriving: what all hits of a mail together say of it, judged and written under the lock of its row."""

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
from engine.tracking.bots import Verdict
from engine.tracking.bursts import Crowds, Place
from engine.tracking.hit_history import History, Reaction
from engine.tracking.pending import Taken

Moments = dict[str, datetime]
Change = tuple[Reaction, Reaction]  # the verdict before, and now
_UNREAD = History([], is_whole=False)


@dataclass(slots=True)
class Batch:
    """Locked mails, and what is known of the events that are to be derived together.

    `own` are the events in hand; `unfinished` those of them that must be looked at once more, `judged` those whose
    verdict was written already.
    """

    mails: list[Email]
    crowds: Crowds
    own: dict[UUID, UUID]
    unfinished: frozenset[UUID] = frozenset()
    judged: frozenset[UUID] = frozenset()
    changes: list[Change] = field(default_factory=list)


def lock(session: Session, events: Sequence[Taken], *, widen: bool = True) -> Batch:
    """The mails of these events locked, and with `widen` those, too, whose hits a crowd now tells as a machine's.

    Crowds are counted under the lock: whoever stores a later hit of the same crowd sees ours when it is taken. Mails
    of a crowd that others hold are not waited for: our event of that crowd stays unfinished and is taken again.
    """
    if not events:
        return Batch([], Crowds(), {})
    mails = emails.lock(session, {event.email_id for event in events})
    places = {event.id: place for event in events if (place := _place(event))}
    found = bursts.count(session, places.values())
    own = {event.id: event.email_id for event in events if event.event_type in ("opened", "clicked")}
    batch = Batch(mails, found, own)
    if widen and found.unmarked:
        _widen(session, batch, places)
    return batch


def _widen(session: Session, batch: Batch, places: dict[UUID, Place]) -> None:
    locked = {mail.id for mail in batch.mails}
    wanted = {place: batch.crowds.unmarked.get(place, frozenset()) - locked for place in places.values()}
    more = emails.lock_free(session, set().union(*wanted.values()))
    batch.mails = batch.mails + more
    locked |= {mail.id for mail in more}
    missed = {place for place, mails in wanted.items() if mails - locked}
    batch.unfinished = frozenset(event_id for event_id, place in places.items() if place in missed)


def judge(session: Session, batch: Batch, *, now: datetime) -> list[tuple[Email, Moments]]:
    """Judge the hits of all mails of the batch and write the verdicts; each mail with the moments of its hits.

    Where some of a mail's hits may have been pruned its moments only move back.
    """
    read = {*batch.own.values(), *set().union(*batch.crowds.unmarked.values())}
    email_ids = [mail.id for mail in batch.mails if mail.id in read]
    loaded = dict(zip(email_ids, hit_history.load(session, email_ids, batch.own, batch.crowds.hits), strict=True))
    since = hit_history.horizon(session)
    judged = [_judged(batch, mail, loaded.get(mail.id, _UNREAD)) for mail in batch.mails]
    _write(session, batch, now)
    stored = hit_history.stored(session, [each.mail.id for each in judged if each.is_turned and each.is_kept(since)])
    return [(each.mail, each.moments(stored, since)) for each in judged]


def _judged(batch: Batch, mail: Email, history: History) -> "_Judged":
    after = hit_history.judge(history.reactions, sent_at=mail.sent_at, crowds=batch.crowds.counts)
    changes = hit_history.changed(history.reactions, after)
    batch.changes += changes
    is_turned = not history.is_whole and any(map(_is_turned, changes))
    return _Judged(mail, after, history.is_whole, is_turned)


def _is_turned(change: Change) -> bool:
    """Whether what counted as a machine's does not any more, or the other way round."""
    old, new = change
    return old.is_applied and (old.source == "machine") is not (new.source == "machine")


class _Judged(NamedTuple):
    """A mail with its reactions as judged. Unless they are all there are, the mail's own moments tell of the others;
    but where a verdict turned, one of its moments may be that hit's.
    """

    mail: Email
    reactions: list[Reaction]
    is_whole: bool
    is_turned: bool

    def is_kept(self, since: datetime) -> bool:
        return self.mail.accepted_at >= since

    def moments(self, stored: Mapping[UUID, Moments], since: datetime) -> Moments:
        derived = hit_history.moments(self.reactions)
        if self.is_whole and self.is_kept(since):
            return derived
        known = {kind: at for kind, at in self.mail.moments.items() if kind in hit_history.KINDS}
        known = stored.get(self.mail.id, known)
        return known | {kind: min(at, known.get(kind, at)) for kind, at in derived.items()}


def with_moments(mail: Email, derived: Moments) -> Email:
    """The mail with these moments of its opens and clicks, and those of everything else as they were."""
    others = {kind: at for kind, at in mail.moments.items() if kind not in hit_history.KINDS}
    return mail._replace(moments=others | derived)


def counts(before: Iterable[Email], after: Iterable[Email]) -> dict[rollups.Key, Counter[str]]:
    """A mail counts once for each kind, in the hour of its moment; another moment moves the count, none takes it."""
    found: dict[rollups.Key, Counter[str]] = defaultdict(Counter)
    for old, new in zip(before, after, strict=True):
        if old.moments == new.moments:
            continue
        for kind in old.moments.keys() | new.moments.keys():
            was, now = old.moments.get(kind), new.moments.get(kind)
            if was != now:
                _count(found, new, kind, now, 1)
                _count(found, new, kind, was, -1)
    return found


def _count(found: dict[rollups.Key, Counter[str]], mail: Email, kind: str, at: datetime | None, by: int) -> None:
    if at is not None:
        found[rollups.Key(mail.campaign_id, mail.step, mail.variant, at)][kind] += by


def _place(event: Taken) -> Place | None:
    return bursts.place(event.network, event.prefix, event.timestamp)


def _write(session: Session, batch: Batch, now: datetime) -> None:
    """Verdicts on what is applied already or ours to apply; on others, whoever takes them writes it."""
    ours = batch.own.keys() - batch.unfinished
    changes = [new for _, new in batch.changes if new.is_applied or new.hit.id in ours]
    pending.judged(session, [Verdict(new.hit.id, new.source, new.reasons) for new in changes], now=now)
    batch.judged = frozenset(new.hit.id for new in changes)
