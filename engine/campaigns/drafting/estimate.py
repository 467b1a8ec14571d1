"""Estimates of a draft while it is written: the size of its audience, the dates of its first e-mails, words to choose.

A large table of contacts is sampled, so that the time is bounded however many there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Float, bindparam, func, select, tablesample, text
from sqlalchemy.orm import Session, aliased

from engine.audience import segments
from engine.campaigns import steps, windows
from models import Contact, together
from models.together import Query

PAGES_COUNTED = 1_000  # of the table of contacts: some 8,000 of them, in 5 ms
_PAGES_OF_WORDS = 5_000
_WORDS_MAX, _NAMES_MAX = 30, 20
_NOT_SEEN = 3  # of which none is in the sample: so many could be there with a probability of a twentieth

_PERCENT = """
SELECT least(100, 100.0 * :pages / greatest(1, pg_relation_size('contacts')
                                               / CAST(current_setting('block_size') AS int))) AS percent
"""
# An attribute or a company may be that of one person: a word must be that of two.
_WORDS = text("""
WITH sampled AS MATERIALIZED (
    SELECT industry, role, company, locale, attributes
      FROM contacts TABLESAMPLE SYSTEM (:percent) REPEATABLE (1) WHERE listed_at IS NOT NULL
), counted AS (
    SELECT key, word, count(*) AS number
      FROM sampled CROSS JOIN LATERAL (VALUES ('industry', industry), ('role', role), ('company', company),
                                              ('locale', locale)) AS column_of (key, word)
     WHERE word IS NOT NULL GROUP BY key, word HAVING key <> 'company' OR count(*) > 1
    UNION ALL
    SELECT 'attributes.' || attribute.key, value, count(*)
      FROM sampled CROSS JOIN LATERAL jsonb_each_text(attributes) AS attribute
     WHERE length(value) BETWEEN 1 AND 50 AND strpos(value, '@') = 0 GROUP BY attribute.key, value HAVING count(*) > 1
)
SELECT key, word FROM (
    SELECT key, word, row_number() OVER (PARTITION BY key ORDER BY number DESC, word) AS place FROM counted) AS ranked
 WHERE place <= :most ORDER BY key, place
""")


@dataclass(frozen=True, slots=True)
class Size:
    """The number of contacts in an audience; estimated from a sample unless `is_exact`.

    If none is in the sample, `contacts` is 0 and there are probably fewer than `fewer_than`.
    """

    contacts: int
    is_exact: bool
    fewer_than: int = 0


def is_sampled(session: Session, *, pages: int = PAGES_COUNTED) -> bool:
    """Return True if the table of contacts is so large that `size` reads a sample of it."""
    return together.one(session, sampled_query(pages=pages))


def sampled_query(*, pages: int = PAGES_COUNTED) -> Query[bool]:
    """Return the query of `is_sampled`."""
    return Query(_PERCENT, ("percent",), lambda rows: _percent_of(rows) < 100, {"pages": pages})


def _percent(session: Session, pages: int) -> float:
    """Return the share of the table of contacts that this many of its blocks are."""
    return together.one(session, Query(_PERCENT, ("percent",), _percent_of, {"pages": pages}))


def _percent_of(rows: Sequence[Any]) -> float:
    [(percent,)] = rows
    return float(percent or 100)


@cache  # to make it takes 2 ms
def _sampled() -> Any:
    """Return the contacts of a sample, as a class for conditions; the parameter `percent` is its share."""
    percent = bindparam("percent", type_=Float)
    return aliased(Contact, tablesample(Contact.__table__, func.system(percent), seed=text("1")))


def size(session: Session, segment: segments.Segment, *, pages: int = PAGES_COUNTED) -> Size:
    """Return the number of contacts of a segment, exact up to some thousand contacts."""
    if segment.only_sign_ups:
        return Size(0, is_exact=True)
    percent, person = _percent(session, pages), _sampled()
    query = select(func.count()).select_from(person).where(*segments.conditions(segment, person))
    counted = session.scalar(query, {"percent": percent}) or 0
    if percent >= 100:
        return Size(counted, is_exact=True)
    return Size(_rounded(counted * 100 / percent), is_exact=False, fewer_than=_rounded(_NOT_SEEN * 100 / percent))


def dates(plan: Sequence[steps.StepDraft], zone: str, *, now: datetime) -> list[datetime]:
    """Return the moment at which the first e-mail of each step goes out if the draft is launched at `now`.

    The steps and the zone must be valid.
    """
    moments, before = [], now
    for number, draft in enumerate(plan, start=1):
        window = windows.Window(draft.window_start_min, draft.window_end_min, frozenset(draft.weekdays))
        before = steps.Step(UUID(int=0), number, draft.template, "", draft.delay_s, window, zone).due_after(before)
        moments.append(before)
    return moments


def words(session: Session, *, pages: int = _PAGES_OF_WORDS) -> dict[str, list[str]]:
    """Return the most frequent words of contacts under `industry` and so on, those of attributes under their names.

    The keys of attributes are like `attributes.origen`.
    """
    percent = _percent(session, pages)
    words_of: dict[str, list[str]] = {}
    for key, word in session.execute(_WORDS, {"percent": percent, "most": _WORDS_MAX}):
        if key in words_of or len(words_of) < _NAMES_MAX or not key.startswith("attributes."):
            words_of.setdefault(key, []).append(word)
    return words_of


def _rounded(value: float) -> int:
    """Return the value with two significant digits."""
    return int(float(f"{value:.2g}"))
