"""What keeps the ledger going and tidy: bells for forgotten work, doubts past their time, rows past their keeping."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.delivery import in_doubt, outbox

KEEP_GROUPS_DAYS = 7

_UNAPPLIED = text("SELECT EXISTS (SELECT 1 FROM events WHERE applied_at IS NULL AND NOT held)")


def bells(session: Session, *, now: datetime) -> list[str]:
    """The bells to ring, because there is work that somebody may not have rung for (R4); no bound on its age."""
    waiting = outbox.due_lanes(session, now=now)
    return [*waiting, "events"] if session.scalar(_UNAPPLIED) else waiting


def settle_doubts(session: Session, *, now: datetime) -> int:
    """Queue again what has been in doubt too long, in the lanes whose setting says `resend` (R11)."""
    configured = settings.current()
    policies = {"campaign": configured.in_doubt_campaign, "transactional": configured.in_doubt_transactional}
    again = 0
    for lane in (lane for lane, policy in policies.items() if policy == "resend"):
        overdue = in_doubt.overdue(session, lane, after_s=configured.in_doubt_after_s)
        again += in_doubt.resend(session, overdue, now=now) if overdue else 0
    return again


_TIDY = (
    text("DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => :idempotency_hours)"),
    text("DELETE FROM revoked_tokens WHERE expires_at < now()"),
    text(
        "DELETE FROM send_groups g WHERE g.state <> 'open' AND g.ended_at < now() - make_interval(days => :group_days) "
        "AND NOT EXISTS (SELECT 1 FROM emails e WHERE e.claim = g.id AND e.status = 'in_doubt')"
    ),
    text(
        "DELETE FROM senders s WHERE s.fenced_at < now() - make_interval(days => :group_days) AND NOT EXISTS "
        "(SELECT 1 FROM send_groups g WHERE g.sender_id = s.id)"
    ),
)


def tidy(session: Session) -> None:
    """Delete what is past its keeping time; messages and contacts are never among it, events are `keeping.prune`'s."""
    values = {"idempotency_hours": settings.current().idempotency_hours, "group_days": KEEP_GROUPS_DAYS}
    for statement in _TIDY:
        session.execute(statement, {name: values[name] for name in statement.compile().params})
