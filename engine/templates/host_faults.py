"""Templates that the senders of a host cannot use, recorded so that people see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from models import together
from models.together import Query

# A fault is current until this long after its next try. No report by then means nothing to send, or a lost host.
CURRENT_FOR = timedelta(minutes=2)

_RECORD = text("""
INSERT INTO template_faults (host, template, reason, retry_at)
SELECT host, :template, :reason, now() + make_interval(secs => :retry_in_s) FROM senders WHERE id = :sender
ON CONFLICT (host, template) DO UPDATE SET reason = excluded.reason, retry_at = excluded.retry_at
""")
_CLEAR = text(
    "DELETE FROM template_faults WHERE host = (SELECT host FROM senders WHERE id = :sender) "
    "AND template = ANY(CAST(:templates AS text[]))"
)
_COLUMNS = ("host", "template", "reason", "since", "retry_at")
_CURRENT = (
    "SELECT host, template, reason, since, retry_at FROM template_faults "
    "WHERE retry_at > now() - CAST(:current_for AS interval) "
    "AND (CAST(:templates AS text[]) IS NULL OR template = ANY(CAST(:templates AS text[]))) ORDER BY template, host"
)
_PRUNE = text("DELETE FROM template_faults WHERE retry_at < now() - :keep")


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """A template that a host cannot use, since when, and when its senders try again."""

    host: str
    template: str
    reason: str
    since: datetime
    retry_at: datetime


def record(session: Session, sender_id: UUID, template: str, reason: str, *, retry_in_s: float) -> None:
    """Store that a sender's host cannot use the template, and that it tries again in `retry_in_s` seconds."""
    values = {"sender": sender_id, "template": template, "reason": reason, "retry_in_s": retry_in_s}
    session.execute(_RECORD, values)


def clear(session: Session, sender_id: UUID, templates: Sequence[str]) -> None:
    """Delete the faults of templates that a sender's host can use."""
    session.execute(_CLEAR, {"sender": sender_id, "templates": sorted(templates)})


def current(session: Session, templates: Sequence[str] | None = None) -> list[TemplateFault]:
    """Return the current faults, of all templates or of these."""
    return together.one(session, query(templates))


def query(templates: Sequence[str] | None = None) -> Query[list[TemplateFault]]:
    """Return the query of `current`."""
    wanted = None if templates is None else list(templates)
    return Query(_CURRENT, _COLUMNS, _faults, {"current_for": CURRENT_FOR, "templates": wanted})


def prune(session: Session, *, keep: timedelta) -> None:
    """Delete faults whose next try should have been longer ago than `keep`."""
    session.execute(_PRUNE, {"keep": keep})


def _faults(rows: Sequence[Any]) -> list[TemplateFault]:
    return [TemplateFault(*row) for row in rows]
