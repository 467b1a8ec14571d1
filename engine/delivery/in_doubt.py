"""E-mails in doubt: their whole body was sent and no reply was read. Evidence or the lane's policy ends it (R11)."""

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
    """An e-mail in doubt, as shown to a person."""

    email_id: UUID
    lane: str
    template: str
    since: datetime | None
    attempts: int
    response: str | None


_PROVE = text(
    "UPDATE emails SET status = 'sent', reason = :reason, claim = NULL, sent_at = :now "
    "WHERE id = ANY(:ids) AND status = 'in_doubt' "
    "RETURNING id, contact_id, campaign_id, enrollment_id, step, variant, kind"
)


def pending(session: Session, *, limit: int = 1000) -> list[Doubt]:
    """Return the e-mails in doubt, oldest first."""
    query = text(
        "SELECT e.id, e.lane, e.template, g.ended_at, e.attempts, e.response FROM emails e "
        "LEFT JOIN send_groups g ON g.id = e.claim WHERE e.status = 'in_doubt' ORDER BY e.id LIMIT :limit"
    )
    rows = session.execute(query, {"limit": limit})
    return [Doubt(row.id, row.lane, row.template, row.ended_at, row.attempts, row.response) for row in rows]


def prove(session: Session, email_ids: Sequence[UUID], *, now: datetime, reason: str = "evidence") -> list[Settled]:
    """Record those of `email_ids` that are in doubt as sent, and return them so that their sequences continue.

    `sent_at` becomes `now`: the true moment is unknown, and the next step must not be due too early.
    """
    rows = session.execute(_PROVE, {"ids": list(email_ids), "now": now, "reason": reason})
    return [_settled(row, "sent", now) for row in rows]


def resend(session: Session, email_ids: Sequence[UUID], *, now: datetime) -> int:
    """Queue e-mails in doubt again, with the same Message-ID. Return how many were still in doubt."""
    update = text(
        "UPDATE emails SET status = 'queued', due_at = :now, reason = 'sent again after doubt', claim = NULL "
        "WHERE id = ANY(:ids) AND status = 'in_doubt' RETURNING id"
    )
    return len(session.execute(update, {"ids": list(email_ids), "now": now}).all())


def overdue(session: Session, lane: str, *, after_s: float, limit: int = 1000) -> list[UUID]:
    """Return e-mails of `lane` that are in doubt for more than `after_s` seconds and may be sent again."""
    query = text(
        "SELECT e.id FROM emails e JOIN send_groups g ON g.id = e.claim "
        "WHERE e.status = 'in_doubt' AND e.lane = :lane AND e.attempts <= :most "
        "AND g.ended_at < now() - make_interval(secs => :after) ORDER BY e.id LIMIT :limit"
    )
    values = {"lane": lane, "most": MAX_RESENDS, "after": after_s, "limit": limit}
    return list(session.scalars(query, values))


def _settled(row: Row[tuple[object, ...]], status: str, now: datetime) -> Settled:
    return Settled(
        row.id, row.contact_id, row.campaign_id, row.enrollment_id, row.step, row.variant, status, now, sent_at=now,
        kind=row.kind,
    )  # fmt: skip
