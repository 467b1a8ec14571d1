"""What keeps the ledger going and tidy: bells for forgotten work, doubts past their time, rows past their keeping."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.access import idempotency, token_status
from engine.delivery import in_doubt, outbox, senders

KEEP_GROUPS = timedelta(days=7)

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


def tidy(session: Session) -> None:
    """Delete rows past their retention: idempotency keys, revoked tokens, groups and senders.

    E-mails and contacts are never deleted; `tracking.retention.prune` deletes events.
    """
    idempotency.prune(session, keep=timedelta(hours=settings.current().idempotency_hours))
    token_status.prune(session)
    senders.prune(session, keep=KEEP_GROUPS)
