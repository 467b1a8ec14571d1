"""Periodic upkeep: bells for waiting work, e-mails in doubt for too long, rows past their retention."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine import quarantine
from engine.access import idempotency, token_status
from engine.delivery import in_doubt, outbox, senders
from engine.engagement.uploads import lifecycle, running
from engine.templates import host_faults
from engine.templates.versions import store

KEEP_GROUPS = timedelta(days=7)

_BELLS = text(f"""
{outbox.DUE_LANES}
UNION ALL SELECT 'events' WHERE EXISTS (SELECT 1 FROM events WHERE applied_at IS NULL AND NOT held)
UNION ALL SELECT 'imports' WHERE EXISTS ({running.IS_WAITING})
""")  # noqa: S608  # constants


def bells(session: Session, *, now: datetime) -> list[str]:
    """Return the bells to ring for work that waits, of any age, in case a ring was lost (R4)."""
    return list(session.scalars(_BELLS, {"now": now}))


def settle_doubts(session: Session, *, now: datetime) -> int:
    """Queue again e-mails in doubt for too long, in lanes whose setting is `resend`; return their number (R11)."""
    configured = settings.current()
    policies = {"campaign": configured.in_doubt_campaign, "transactional": configured.in_doubt_transactional}
    lanes = [lane for lane, policy in policies.items() if policy == "resend"]
    overdue = in_doubt.overdue(session, lanes, after_s=configured.in_doubt_after_s) if lanes else []
    return in_doubt.resend(session, overdue, now=now) if overdue else 0


def tidy(session: Session) -> None:
    """Delete rows past their retention, such as idempotency keys, revoked tokens, groups, senders and imports.

    E-mails and contacts are never deleted; `tracking.retention.prune` deletes events.
    """
    idempotency.prune(session, keep=timedelta(hours=settings.current().idempotency_hours))
    token_status.prune(session)
    senders.prune(session, keep=KEEP_GROUPS)
    host_faults.prune(session, keep=KEEP_GROUPS)
    quarantine.prune(session, keep=KEEP_GROUPS)
    lifecycle.prune(session)
    store.purge(session)
