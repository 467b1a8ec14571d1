"""Totals of contacts and suppressions; they read the whole tables, so workers count them as figures."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

WORDS_MAX = 100  # of each kind; more are no choice for a person

_CONTACTS = text("""
SELECT count(*) AS contacts, count(listed_at) AS listed, count(*) FILTER (WHERE converted) AS converted,
       count(erased_at) AS erased FROM contacts WHERE NOT is_recipient
""")
_WORDS = {
    name: text(f"""
SELECT {name} FROM contacts WHERE {name} <> '' GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT :limit
""")  # noqa: S608  # names of columns
    for name in ("industry", "role")
}
_SUPPRESSIONS = text("SELECT reason, count(*) AS number FROM suppressions WHERE reason <> 'erased' GROUP BY reason")


def count(session: Session) -> Mapping[str, Any]:
    """Return the numbers of contacts, of suppressions by reason, and the most frequent industries and roles."""
    words = {name: list(session.scalars(query, {"limit": WORDS_MAX})) for name, query in _WORDS.items()}
    suppressed = {row.reason: row.number for row in session.execute(_SUPPRESSIONS)}
    return {**session.execute(_CONTACTS).one()._mapping, "suppressed": suppressed, "words": words}
