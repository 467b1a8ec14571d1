"""Crowds: many mails hit from one network within ten seconds, counted over all hits that are stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking.bots import hits, rules, traits
from models import arrays, ids

Place = tuple[str, int]  # a prefix, and the bucket of a moment

# By the primary key: an event's id says when it happened. Held ones do not count until their mails are sent.
# Other places' hits are left out as they are read, by a hash that a join would not be sure to be (hence IS TRUE), and
# prefixes with too few hits to be a crowd, nearly all, before mails are told apart.
_COUNT = text("""
WITH found AS MATERIALIZED (
    SELECT e.event_data ->> 'prefix' AS prefix, span.bucket, e.email_id, e.id,
           e.reasons @> CAST(:mark AS text[]) AS is_marked
      FROM unnest(CAST(:buckets AS bigint[]), CAST(:firsts AS uuid[]), CAST(:lasts AS uuid[]))
           AS span (bucket, first, last)
      JOIN events e ON e.id >= span.first AND e.id < span.last
     WHERE NOT e.held AND e.event_data ? 'method'
       AND (e.event_data ->> 'prefix' IN (SELECT unnest(CAST(:prefixes AS text[])))) IS TRUE
), busy AS (
    SELECT prefix, bucket FROM found GROUP BY prefix, bucket HAVING count(*) >= :threshold
)
SELECT prefix, bucket, count(DISTINCT email_id),
       array_agg(DISTINCT email_id) FILTER (WHERE NOT is_marked), array_agg(id) FILTER (WHERE NOT is_marked)
  FROM busy JOIN found USING (prefix, bucket)
 GROUP BY prefix, bucket HAVING count(DISTINCT email_id) >= :threshold
""")


@dataclass(frozen=True, slots=True)
class Crowds:
    """How many mails were hit in each place asked for, 0 where it was no crowd; where it was one, the mails with a hit
    there that is not marked so yet, and the ids of those hits.
    """

    counts: Mapping[Place, int] = field(default_factory=dict)
    unmarked: Mapping[Place, frozenset[UUID]] = field(default_factory=dict)
    hits: frozenset[UUID] = frozenset()


def place(network: str, prefix: str, at: datetime) -> Place | None:
    """Where a hit came from and when, if a crowd there would say anything."""
    return (prefix, hits.bucket(at)) if prefix and not traits.is_shared(network) else None


def count(session: Session, places: Iterable[Place]) -> Crowds:
    """The crowds among these places (and perhaps some of the same prefixes in the others' buckets); one statement."""
    wanted = set(places)
    if not wanted:
        return Crowds()
    buckets = sorted({bucket for _, bucket in wanted})
    values = {
        "mark": arrays.words([rules.CROWD.name]),
        "buckets": arrays.numbers(buckets),
        "firsts": arrays.uuids(ids.first_at(_begins(bucket)) for bucket in buckets),
        "lasts": arrays.uuids(ids.first_at(_begins(bucket + 1)) for bucket in buckets),
        "prefixes": arrays.words(sorted({prefix for prefix, _ in wanted})),
        "threshold": rules.CROWD_MAILS,
    }
    rows = session.execute(_COUNT, values).all()
    return Crowds(
        dict.fromkeys(wanted, 0) | {(prefix, bucket): mails for prefix, bucket, mails, *_ in rows},
        {(prefix, bucket): frozenset(unmarked or ()) for prefix, bucket, _, unmarked, _ in rows},
        frozenset().union(*(found or () for *_, found in rows)),
    )


def _begins(bucket: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=bucket * hits.BUCKET_S)
