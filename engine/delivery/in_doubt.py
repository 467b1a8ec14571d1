"""Messages in doubt: handed over whole, never answered. Evidence settles them, then the lane's policy (R11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery.transitions import Settled

MAX_RESENDS = 3


@dataclass(frozen=True, slots=True)
class Doubt:
    """One message in doubt, as a person sees it."""

    email_id: UUID
    lane: str
    template: str
    since: datetime | None
    attempts: int
    response: str | None


_PROVE = text(
    "UPDATE emails SET status = 'sent', reason = :reason, claim = NULL, sent_at = :now "
    "WHERE id = ANY(:ids) AND status = 'in_doubt' "
    "RETURNING id, contact_id, campaign_id, enrollment_id, step, variant"
)


def pending(session: Session, *, limit: int = 1000) -> list[Doubt]:
    """The messages in doubt, oldest first."""
    query = text(
        "SELECT e.id, e.lane, e.template, g.ended_at, e.attempts, e.response FROM emails e "
        "LEFT JOIN send_groups g ON g.id = e.claim WHERE e.status = 'in_doubt' ORDER BY e.id LIMIT :limit"
    )
    rows = session.execute(query, {"limit": limit})
    return [Doubt(row.id, row.lane, row.template, row.ended_at, row.attempts, row.response) for row in rows]


def prove(session: Session, email_ids: Sequence[UUID], *, now: datetime, reason: str = "evidence") -> list[Settled]:
    """Those of `email_ids` that are in doubt were sent after all; returns them for the sequence to go on.

    `sent_at` becomes `now`: the true moment is not known, and the next step must not come too early.
    """
    rows = session.execute(_PROVE, {"ids": list(email_ids), "now": now, "reason": reason})
    return [_settled(row, "sent", now) for row in rows]


def resend(session: Session, email_ids: Sequence[UUID], *, now: datetime) -> int:
    """Queue messages in doubt once more, under the same Message-ID; returns how many were still in doubt."""
    update = text(
        "UPDATE emails SET status = 'queued', due_at = :now, reason = 'sent again after doubt', claim = NULL "
        "WHERE id = ANY(:ids) AND status = 'in_doubt' RETURNING id"
    )
    return len(session.execute(update, {"ids": list(email_ids), "now": now}).all())


def overdue(session: Session, lane: str, *, after_s: float, limit: int = 1000) -> list[UUID]:
    """Messages of `lane` whose doubt no evidence settled in `after_s` seconds, and that may be sent again."""
    query = text(
        "SELECT e.id FROM emails e JOIN send_groups g ON g.id = e.claim "
        "WHERE e.status = 'in_doubt' AND e.lane = :lane AND e.attempts <= :most "
        "AND g.ended_at < now() - make_interval(secs => :after) ORDER BY e.id LIMIT :limit"
    )
    values = {"lane": lane, "most": MAX_RESENDS, "after": after_s, "limit": limit}
    return list(session.scalars(query, values))


def _settled(row: Row[tuple[object, ...]], status: str, now: datetime) -> Settled:
    return Settled(
        row.id, row.contact_id, row.campaign_id, row.enrollment_id, row.step, row.variant, status, now, sent_at=now
    )
