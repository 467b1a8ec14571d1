"""Histories: all opens and clicks of an e-mail, the verdicts on its hits, and what follows for its moments."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import bots
from engine.tracking.bots import Hit, Verdict, rules
from engine.tracking.bursts import Place
from models import arrays

KINDS = ("opened", "clicked", "machine_opened", "machine_clicked")
HORIZON = "events"

_SEEN = """
source, array_to_string(reasons, ','), applied_at IS NOT NULL, event_data ->> 'method',
id, event_type, timestamp,
CASE WHEN event_data ->> 'link' ~ '^[0-9]{1,6}$' THEN CAST(event_data ->> 'link' AS int) ELSE -1 END,
coalesce(event_data ->> 'agent', ''),
coalesce(event_data ->> 'network', 'other'), coalesce(event_data ->> 'prefix', ''),
coalesce(event_data ->> 'purpose', '')
"""
# What others have yet to apply is left to them, so that a history only ever grows by what its applier has in hand.
_COUNTS = """
event_type IN ('opened', 'clicked') AND NOT held
AND (applied_at IS NOT NULL OR id IN (SELECT unnest(CAST(:own AS uuid[]))))
"""
_LOAD = text(f"""
SELECT mail.place, {_SEEN}
  FROM unnest(CAST(:ids AS uuid[]), CAST(:most AS int[])) WITH ORDINALITY AS mail (mail_id, most, place)
 CROSS JOIN LATERAL (SELECT * FROM events WHERE email_id = mail_id AND {_COUNTS} ORDER BY id LIMIT most) AS first
""")  # noqa: S608  # built from the texts above alone
_LOAD_LATER = text(f"""
SELECT mail.place, {_SEEN}
  FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS mail (email_id, place) JOIN events USING (email_id)
 WHERE events.id = ANY(CAST(:wanted AS uuid[])) AND {_COUNTS}
""")  # noqa: S608  # built from the texts above alone
_MOMENTS = text("""
SELECT email_id, min(timestamp) FILTER (WHERE source <> 'machine'),
       min(timestamp) FILTER (WHERE source <> 'machine' AND event_type = 'clicked'),
       min(timestamp) FILTER (WHERE source = 'machine'),
       min(timestamp) FILTER (WHERE source = 'machine' AND event_type = 'clicked')
  FROM events
 WHERE email_id = ANY(CAST(:ids AS uuid[])) AND event_type IN ('opened', 'clicked') AND applied_at IS NOT NULL
   AND NOT held
 GROUP BY email_id
""")
_HORIZON = text("SELECT since FROM horizons WHERE name = :name")
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Reaction(NamedTuple):
    """An open or a click as stored: what was observed, and the verdict on it so far.

    Only a hit is judged; a report keeps the source it came with.
    """

    hit: Hit
    is_hit: bool
    source: str
    reasons: tuple[str, ...]
    is_applied: bool


class History(NamedTuple):
    """Opens and clicks of an e-mail in the order of their ids, which is that of time; whether that is all of them."""

    reactions: list[Reaction]
    is_whole: bool


def load(session: Session, email_ids: Sequence[UUID], own: Mapping[UUID, UUID], also: Iterable[UUID]) -> list[History]:
    """The histories of these e-mails, as far as applied or in `own`: the events in hand, each with its e-mail.

    The earliest `machines.COMPANY_MAX`, those that `own` may have pushed out from among them, all of `own`, and the
    events named in `also`: nobody else's verdict can be another one now.
    """
    if not email_ids:
        return []
    came = Counter(own.values())
    most = [bots.COMPANY_MAX + came[email_id] for email_id in email_ids]
    values = {"ids": arrays.uuids(email_ids), "own": arrays.uuids(own), "most": arrays.numbers(most)}
    found: list[list[Reaction]] = [[] for _ in email_ids]
    for row in session.execute(_LOAD, values).all():
        found[row[0] - 1].append(_reaction(row))
    histories = [History(each, len(each) < limit) for each, limit in zip(found, most, strict=True)]
    _load_later(session, dict(zip(email_ids, histories, strict=True)), own, also)
    return histories


def _load_later(
    session: Session, histories: Mapping[UUID, History], own: Mapping[UUID, UUID], also: Iterable[UUID]
) -> None:
    long = [email_id for email_id, history in histories.items() if not history.is_whole]
    if not long:
        return
    loaded = {each.hit.id for email_id in long for each in histories[email_id].reactions}
    wanted = {*(event_id for event_id, email_id in own.items() if email_id in histories), *also} - loaded
    values = {"ids": arrays.uuids(long), "own": arrays.uuids(own), "wanted": arrays.uuids(wanted)}
    for row in session.execute(_LOAD_LATER, values).all():
        histories[long[row[0] - 1]].reactions.append(_reaction(row))


def stored(session: Session, email_ids: Sequence[UUID]) -> dict[UUID, dict[str, datetime]]:
    """The moments of `KINDS` that all applied opens and clicks of these e-mails give, by the verdicts as stored."""
    if not email_ids:
        return {}
    rows = session.execute(_MOMENTS, {"ids": arrays.uuids(email_ids)}).all()
    return {
        email_id: {kind: at for kind, at in zip(KINDS, moments, strict=True) if at is not None}
        for email_id, *moments in rows
    }


def horizon(session: Session) -> datetime:
    """Since when events are all there. To be asked after `load`: what was pruned before it is told of then."""
    return session.scalar(_HORIZON, {"name": HORIZON}) or _ALWAYS


def judge(reactions: Sequence[Reaction], *, sent_at: datetime | None, crowds: Mapping[Place, int]) -> list[Reaction]:
    """The reactions of a history with the verdicts that the earliest together, and each later one alone, give.

    A crowd that was seen once stays one: where `crowds` says nothing of a hit's place, its mark does.
    """
    first, later = reactions[: bots.COMPANY_MAX], reactions[bots.COMPANY_MAX :]
    crowds = _marked(reactions, crowds)
    judged = [*_judged(first, sent_at, crowds)]
    for each in later:
        judged += _judged([each], sent_at, crowds)
    return judged


def _judged(reactions: Sequence[Reaction], sent_at: datetime | None, crowds: Mapping[Place, int]) -> Iterator[Reaction]:
    verdicts = iter(bots.judge([each.hit for each in reactions if each.is_hit], sent_at=sent_at, crowds=crowds))
    return (_with(each, next(verdicts)) if each.is_hit else each for each in reactions)


def changed(before: Sequence[Reaction], after: Sequence[Reaction]) -> list[tuple[Reaction, Reaction]]:
    """The reactions whose verdict is another one."""
    return [(old, new) for old, new in zip(before, after, strict=True) if old is not new]


def moments(history: Iterable[Reaction]) -> dict[str, datetime]:
    """The earliest moment of each of `KINDS`; a click is an open, too."""
    found: dict[str, datetime] = {}
    for each in history:
        at, who = each.hit.at, "machine_" if each.source == "machine" else ""
        for what in ("opened", "clicked")[: 1 + (each.hit.kind == "clicked")]:
            kind = who + what
            if kind not in found or at < found[kind]:
                found[kind] = at
    return found


def _marked(reactions: Iterable[Reaction], crowds: Mapping[Place, int]) -> Mapping[Place, int]:
    marked = {
        (each.hit.prefix, bots.bucket(each.hit.at)): rules.CROWD_MAILS
        for each in reactions
        if rules.CROWD.name in each.reasons
    }
    return {**marked, **crowds} if marked else crowds


def _with(reaction: Reaction, verdict: Verdict) -> Reaction:
    if verdict.source == reaction.source and verdict.reasons == reaction.reasons:
        return reaction
    return reaction._replace(source=verdict.source, reasons=verdict.reasons)


def _reaction(row: Sequence[Any]) -> Reaction:
    _, source, reasons, is_applied, method, event_id, kind, at, link, *seen = row
    hit = Hit(event_id, kind, at, link, method or "GET", *seen)
    return Reaction(hit, method is not None, source, tuple(reasons.split(",")) if reasons else (), is_applied)
