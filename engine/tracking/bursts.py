"""Bursts: many e-mails hit from one network within ten seconds, counted over all stored hits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking.bots import hits, rules, traits
from models import arrays, ids

Place = tuple[str, int]  # a network prefix and a time bucket

# Reads by the primary key, as an event's id contains its time. Held events count once their e-mails are sent.
# IS TRUE makes the planner filter prefixes by a hash, where a join might become a nested loop. Prefixes with too few
# hits for a burst, which are nearly all, are dropped before distinct e-mails are counted.
_COUNT = text("""
WITH hits AS MATERIALIZED (
    SELECT e.event_data ->> 'prefix' AS prefix, span.bucket, e.email_id, e.id,
           e.reasons @> CAST(:rule AS text[]) AS is_classified
      FROM unnest(CAST(:buckets AS bigint[]), CAST(:firsts AS uuid[]), CAST(:lasts AS uuid[]))
           AS span (bucket, first, last)
      JOIN events e ON e.id >= span.first AND e.id < span.last
     WHERE NOT e.held AND e.event_data ? 'method'
       AND (e.event_data ->> 'prefix' IN (SELECT unnest(CAST(:prefixes AS text[])))) IS TRUE
), busy AS (
    SELECT prefix, bucket FROM hits GROUP BY prefix, bucket HAVING count(*) >= :threshold
)
SELECT prefix, bucket, count(DISTINCT email_id),
       array_agg(DISTINCT email_id) FILTER (WHERE NOT is_classified), array_agg(id) FILTER (WHERE NOT is_classified)
  FROM busy JOIN hits USING (prefix, bucket)
 GROUP BY prefix, bucket HAVING count(DISTINCT email_id) >= :threshold
""")


@dataclass(frozen=True, slots=True)
class Bursts:
    """The number of e-mails hit in each place, 0 where there is no burst.

    Of the bursts also the e-mails with a hit that is not yet classified as part of it, and the ids of those hits.
    """

    counts: Mapping[Place, int] = field(default_factory=dict)
    unclassified: Mapping[Place, frozenset[UUID]] = field(default_factory=dict)
    hits: frozenset[UUID] = frozenset()


def place(network: str, prefix: str, at: datetime) -> Place | None:
    """Return the place of a hit; None if the network is shared by so many people that a burst means nothing."""
    return (prefix, hits.bucket(at)) if prefix and not traits.is_shared(network) else None


def count(session: Session, places: Iterable[Place]) -> Bursts:
    """Count the bursts in these places by one statement; may also return those of a prefix in another's bucket."""
    unique = set(places)
    if not unique:
        return Bursts()
    buckets = sorted({bucket for _, bucket in unique})
    values = {
        "rule": arrays.words([rules.BURST.name]),
        "buckets": arrays.numbers(buckets),
        "firsts": arrays.uuids(ids.first_at(_start(bucket)) for bucket in buckets),
        "lasts": arrays.uuids(ids.first_at(_start(bucket + 1)) for bucket in buckets),
        "prefixes": arrays.words(sorted({prefix for prefix, _ in unique})),
        "threshold": rules.BURST_EMAILS,
    }
    rows = session.execute(_COUNT, values).all()
    return Bursts(
        dict.fromkeys(unique, 0) | {(prefix, bucket): emails for prefix, bucket, emails, *_ in rows},
        {(prefix, bucket): frozenset(email_ids or ()) for prefix, bucket, _, email_ids, _ in rows},
        frozenset().union(*(event_ids or () for *_, event_ids in rows)),
    )


def _start(bucket: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=bucket * hits.BUCKET_S)
