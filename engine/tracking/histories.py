"""Histories: all opens and clicks of an e-mail, the verdicts on its hits, and what follows for its moments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import machines
from engine.tracking.crowds import Place
from engine.tracking.machines import Hit, Verdict, rules
from models import arrays

KINDS = ("opened", "clicked", "machine_opened", "machine_clicked")
HORIZON = "events"
LENGTH_MAX = 200  # hits of a mail that are looked at each time another comes, the earliest ones

_LOAD = text("""
SELECT email_id, source, array_to_string(reasons, ','), applied_at IS NOT NULL, event_data ->> 'method',
       id, event_type, timestamp,
       CASE WHEN event_data ->> 'link' ~ '^[0-9]{1,6}$' THEN CAST(event_data ->> 'link' AS int) ELSE -1 END,
       coalesce(event_data ->> 'agent', ''),
       coalesce(event_data ->> 'network', 'other'), coalesce(event_data ->> 'prefix', ''),
       coalesce(event_data ->> 'purpose', '')
  FROM (SELECT events.*, row_number() OVER (PARTITION BY email_id ORDER BY timestamp, id) AS place FROM events
         WHERE email_id = ANY(CAST(:ids AS uuid[])) AND event_type IN ('opened', 'clicked') AND NOT held) AS found
 WHERE place <= :most OR id = ANY(CAST(:own AS uuid[]))
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


def load(session: Session, email_ids: Iterable[UUID], own: Iterable[UUID] = ()) -> dict[UUID, list[Reaction]]:
    """The opens and clicks of these e-mails that may count, applied or not, in no order; mails without are absent.

    All of them, but of a mail with more than `LENGTH_MAX` the earliest so many, and those in `own` (ids of events).
    """
    found: dict[UUID, list[Reaction]] = defaultdict(list)
    values = {"ids": arrays.uuids(email_ids), "own": arrays.uuids(own), "most": LENGTH_MAX}
    rows = session.execute(_LOAD, values).all()
    for email_id, source, reasons, is_applied, method, *seen in rows:
        event_id, kind, at, link, agent, network, prefix, purpose = seen
        hit = Hit(event_id, kind, at, link, method or "GET", agent, network, prefix, purpose)
        named = tuple(reasons.split(",")) if reasons else ()
        found[email_id].append(Reaction(hit, method is not None, source, named, is_applied))
    return found


def horizon(session: Session) -> datetime:
    """Since when events are all there. To be asked after `load`: what was pruned before it is told of then."""
    return session.scalar(_HORIZON, {"name": HORIZON}) or _ALWAYS


def judge(history: Sequence[Reaction], *, sent_at: datetime | None, crowds: Mapping[Place, int]) -> list[Reaction]:
    """The history with the verdicts that all its hits together give.

    A crowd that was seen once stays one: where `crowds` says nothing of a hit's place, its mark does.
    """
    hits = [each.hit for each in history if each.is_hit]
    if not hits:
        return list(history)
    judged = machines.judge(hits, sent_at=sent_at, crowds=_marked(history, crowds))
    verdicts = {verdict.id: verdict for verdict in judged}
    return [_with(each, verdicts.get(each.hit.id)) for each in history]


def changed(before: Sequence[Reaction], after: Sequence[Reaction]) -> list[tuple[Reaction, Reaction]]:
    """The reactions whose verdict is another one."""
    return [(old, new) for old, new in zip(before, after, strict=True) if old != new]


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


def _marked(history: Iterable[Reaction], crowds: Mapping[Place, int]) -> Mapping[Place, int]:
    marked = {
        (each.hit.prefix, machines.bucket(each.hit.at)): rules.CROWD_MAILS
        for each in history
        if rules.CROWD.name in each.reasons
    }
    return {**marked, **crowds} if marked else crowds


def _with(reaction: Reaction, verdict: Verdict | None) -> Reaction:
    if verdict is None or (verdict.source, verdict.reasons) == (reaction.source, reaction.reasons):
        return reaction
    return reaction._replace(source=verdict.source, reasons=verdict.reasons)
