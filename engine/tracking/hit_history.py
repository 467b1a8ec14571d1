"""Hit history: all opens and clicks of an e-mail, their classifications, and the first moments that follow."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking.bots import classifier, rules
from engine.tracking.bots.hits import Classification, Hit, bucket
from engine.tracking.bursts import Place
from models import arrays

KINDS = ("opened", "clicked", "machine_opened", "machine_clicked")
HORIZON = "events"

_COLUMNS = """
source, array_to_string(reasons, ','), applied_at IS NOT NULL, event_data ->> 'method',
id, event_type, timestamp,
CASE WHEN event_data ->> 'link' ~ '^[0-9]{1,6}$' THEN CAST(event_data ->> 'link' AS int) ELSE -1 END,
coalesce(event_data ->> 'agent', ''),
coalesce(event_data ->> 'network', 'other'), coalesce(event_data ->> 'prefix', ''),
coalesce(event_data ->> 'purpose', '')
"""
# Events that another transaction is about to apply are left out: a history only grows by the events of its applier.
_IS_INCLUDED = """
event_type IN ('opened', 'clicked') AND NOT held
AND (applied_at IS NOT NULL OR id IN (SELECT unnest(CAST(:own AS uuid[]))))
"""
_LOAD = text(f"""
SELECT email.place, {_COLUMNS}
  FROM unnest(CAST(:ids AS uuid[]), CAST(:most AS int[])) WITH ORDINALITY AS email (loaded_id, most, place)
 CROSS JOIN LATERAL (
    SELECT * FROM events WHERE email_id = loaded_id AND {_IS_INCLUDED} ORDER BY id LIMIT most
 ) AS first
""")  # noqa: S608  # built from the texts above alone
_LOAD_LATER = text(f"""
SELECT email.place, {_COLUMNS}
  FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS email (email_id, place) JOIN events USING (email_id)
 WHERE events.id = ANY(CAST(:missing AS uuid[])) AND {_IS_INCLUDED}
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


class Interaction(NamedTuple):
    """A stored open or click with its classification so far.

    Only a hit is classified; a reported one keeps the source of its report.
    """

    hit: Hit
    is_hit: bool
    source: str
    reasons: tuple[str, ...]
    is_applied: bool


class History(NamedTuple):
    """Opens and clicks of an e-mail in the order of their ids, which is that of time. `is_whole`: none is left out."""

    interactions: list[Interaction]
    is_whole: bool


def load(
    session: Session,
    email_ids: Sequence[UUID],
    own: Mapping[UUID, UUID],
    also: Iterable[UUID],
    *,
    neighbours: int = classifier.NEIGHBOURS_MAX,
) -> list[History]:
    """Return the history of each e-mail: applied events, and those in `own`, which maps event to e-mail.

    It has the first `neighbours` events, those that `own` may have displaced from them, all of `own`, and the
    events in `also`; no other event's classification can change.
    """
    if not email_ids:
        return []
    new = Counter(own.values())
    most = [neighbours + new[email_id] for email_id in email_ids]
    values = {"ids": arrays.uuids(email_ids), "own": arrays.uuids(own), "most": arrays.numbers(most)}
    interactions: list[list[Interaction]] = [[] for _ in email_ids]
    for row in session.execute(_LOAD, values).all():
        interactions[row[0] - 1].append(_interaction(row))
    histories = [History(each, len(each) < limit) for each, limit in zip(interactions, most, strict=True)]
    _load_later(session, dict(zip(email_ids, histories, strict=True)), own, also)
    return histories


def _load_later(
    session: Session, histories: Mapping[UUID, History], own: Mapping[UUID, UUID], also: Iterable[UUID]
) -> None:
    long = [email_id for email_id, history in histories.items() if not history.is_whole]
    if not long:
        return
    loaded = {each.hit.id for email_id in long for each in histories[email_id].interactions}
    missing = {*(event_id for event_id, email_id in own.items() if email_id in histories), *also} - loaded
    values = {"ids": arrays.uuids(long), "own": arrays.uuids(own), "missing": arrays.uuids(missing)}
    for row in session.execute(_LOAD_LATER, values).all():
        histories[long[row[0] - 1]].interactions.append(_interaction(row))


def stored_moments(session: Session, email_ids: Sequence[UUID]) -> dict[UUID, dict[str, datetime]]:
    """Return the first moment of each of `KINDS` by e-mail, from all applied events and their stored sources."""
    if not email_ids:
        return {}
    rows = session.execute(_MOMENTS, {"ids": arrays.uuids(email_ids)}).all()
    return {
        email_id: {kind: at for kind, at in zip(KINDS, moments, strict=True) if at is not None}
        for email_id, *moments in rows
    }


def horizon(session: Session) -> datetime:
    """Return the earliest moment since which no event is missing. Call after `load`, to notice a concurrent pruning."""
    return session.scalar(_HORIZON, {"name": HORIZON}) or _ALWAYS


def classify(
    interactions: Sequence[Interaction],
    *,
    sent_at: datetime | None,
    bursts: Mapping[Place, int],
    neighbours: int = classifier.NEIGHBOURS_MAX,
) -> list[Interaction]:
    """Classify the first `neighbours` hits together and each later one alone; the order is kept.

    A burst stays a burst: for a place that `bursts` lacks, the stored classification counts.
    """
    first, later = interactions[:neighbours], interactions[neighbours:]
    bursts = _with_stored(interactions, bursts)
    classified = [*_classified(first, sent_at, bursts)]
    for each in later:
        classified += _classified([each], sent_at, bursts)
    return classified


def _classified(
    interactions: Sequence[Interaction], sent_at: datetime | None, bursts: Mapping[Place, int]
) -> Iterator[Interaction]:
    hits = [each.hit for each in interactions if each.is_hit]
    classifications = iter(classifier.classify(hits, sent_at=sent_at, bursts=bursts))
    return (_with(each, next(classifications)) if each.is_hit else each for each in interactions)


def changed(before: Sequence[Interaction], after: Sequence[Interaction]) -> list[tuple[Interaction, Interaction]]:
    """Return the interactions whose classification changed, as pairs of old and new."""
    return [(old, new) for old, new in zip(before, after, strict=True) if old is not new]


def moments(history: Iterable[Interaction]) -> dict[str, datetime]:
    """Return the first moment of each of `KINDS`; a click counts as an open, too."""
    first: dict[str, datetime] = {}
    for each in history:
        at, prefix = each.hit.at, "machine_" if each.source == "machine" else ""
        for suffix in ("opened", "clicked")[: 1 + (each.hit.kind == "clicked")]:
            kind = prefix + suffix
            if kind not in first or at < first[kind]:
                first[kind] = at
    return first


def _with_stored(interactions: Iterable[Interaction], bursts: Mapping[Place, int]) -> Mapping[Place, int]:
    stored = {
        (each.hit.prefix, bucket(each.hit.at)): rules.BURST_EMAILS
        for each in interactions
        if rules.BURST.name in each.reasons
    }
    return {**stored, **bursts} if stored else bursts


def _with(interaction: Interaction, classification: Classification) -> Interaction:
    if classification.source == interaction.source and classification.reasons == interaction.reasons:
        return interaction
    return interaction._replace(source=classification.source, reasons=classification.reasons)


def _interaction(row: Sequence[Any]) -> Interaction:
    _, source, reasons, is_applied, method, event_id, kind, at, link, *observed = row
    hit = Hit(event_id, kind, at, link, method or "GET", *observed)
    return Interaction(hit, method is not None, source, tuple(reasons.split(",")) if reasons else (), is_applied)
