"""The campaigns that use templates."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_USES = text("""
SELECT DISTINCT s.template, c.id, c.name, c.state
  FROM campaign_steps s JOIN campaigns c ON c.id = s.campaign_id
 WHERE c.state NOT IN ('finished', 'cancelled') AND s.template = ANY(CAST(:names AS text[])) ORDER BY c.name LIMIT 500
""")


class Use(NamedTuple):
    """A campaign that uses a template and has neither finished nor been cancelled."""

    id: UUID
    name: str
    state: str


def of(session: Session, names: Sequence[str]) -> Mapping[str, list[Use]]:
    """Return the campaigns that use these templates and have not ended, by template and name."""
    uses: dict[str, list[Use]] = defaultdict(list)
    for row in session.execute(_USES, {"names": list(names)}):
        uses[row.template].append(Use(row.id, row.name, row.state))
    return uses
