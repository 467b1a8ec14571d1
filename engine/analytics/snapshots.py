"""Snapshots: figures that take long to count. Workers count them; pages read them at once, with their age.

Counting may take at most a twentieth of the time while somebody watches, and a thousandth otherwise. All moments are
the database's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Snapshot, together
from models.together import Query

WATCHED_S, UNWATCHED_S = 2.0, 60.0  # least seconds between two counts
_SHARE_WATCHED, _SHARE_UNWATCHED = 1 / 20, 1 / 1_000
_NOTED_S = 20.0  # a note that somebody watches is not repeated for so long
_FORGOTTEN_S = 60.0  # a page that nobody has fetched for so long is not watched

_READ = """
SELECT name, CASE WHEN CAST(:part AS text) IS NULL THEN value ELSE value -> CAST(:part AS text) END AS value,
       taken_at, took_s, wanted_at > clock_timestamp() - make_interval(secs => :noted_s) AS is_noted
  FROM snapshots WHERE name = ANY(CAST(:names AS text[]))
"""
_COLUMNS = ("name", "value", "taken_at", "took_s", "is_noted")
_WANT = text("""
UPDATE snapshots SET wanted_at = clock_timestamp()
 WHERE name = :name AND wanted_at < clock_timestamp() - make_interval(secs => :noted_s)
""")
_OVERDUE = text("""
SELECT wanted.name
  FROM (SELECT unnest(CAST(:names AS text[]))
         UNION SELECT name FROM snapshots WHERE wanted_at > clock_timestamp() - make_interval(secs => :forgotten_s)
       ) AS wanted (name) LEFT JOIN snapshots s USING (name)
 CROSS JOIN LATERAL (SELECT s.wanted_at > clock_timestamp() - make_interval(secs => :forgotten_s) AS it) AS watched
 WHERE s.name IS NULL
    OR clock_timestamp() - s.taken_at > make_interval(secs => CASE
           WHEN watched.it THEN greatest(:watched_s, s.took_s / :share_watched)
           ELSE greatest(:unwatched_s, s.took_s / :share_unwatched) END)
 ORDER BY watched.it DESC, s.taken_at NULLS FIRST
""")


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one name: when they were counted, how long that took, and True if `want` was called lately."""

    value: Mapping[str, Any]
    taken_at: datetime
    took_s: float
    is_noted: bool


def read(session: Session, *names: str, part: str | None = None) -> dict[str, Figures]:
    """Return the figures that are stored of these names, or one part of each: a list needs no more of 50."""
    return together.one(session, query(*names, part=part))


def query(*names: str, part: str | None = None) -> Query[dict[str, Figures]]:
    """Return the query of `read`."""
    return Query(_READ, _COLUMNS, _figures, {"names": list(names), "noted_s": _NOTED_S, "part": part})


def _figures(rows: Sequence[Any]) -> dict[str, Figures]:
    return {name: Figures(*figures) for name, *figures in rows}


def want(session: Session, name: str) -> None:
    """Note that somebody watches these figures; writes at most once in 20 s."""
    session.execute(_WANT, {"name": name, "noted_s": _NOTED_S})


def overdue(session: Session, names: Sequence[str]) -> list[str]:
    """Return those of `names`, and of the watched ones, whose figures are missing or too old.

    Watched ones come first, then the oldest.
    """
    limits = {
        "forgotten_s": _FORGOTTEN_S,
        "watched_s": WATCHED_S,
        "unwatched_s": UNWATCHED_S,
        "share_watched": _SHARE_WATCHED,
        "share_unwatched": _SHARE_UNWATCHED,
    }
    return list(session.scalars(_OVERDUE, {"names": list(names), **limits}))


def store(session: Session, name: str, value: Mapping[str, Any], *, took_s: float) -> None:
    """Store figures; new ones are not watched until `want`. Safe to run twice at once: the later ones stay."""
    row = {"value": value, "took_s": took_s, "taken_at": func.clock_timestamp()}
    adding = insert(Snapshot).values(name=name, wanted_at=func.to_timestamp(0), **row)
    session.execute(adding.on_conflict_do_update(index_elements=["name"], set_=row))
