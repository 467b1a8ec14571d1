"""Enrollments: who takes part in a campaign, and what ends it for them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# Locks in the order of ids, so that two stops at once cannot deadlock.
_STOP = text("""
    WITH running AS MATERIALIZED (
        SELECT id FROM enrollments
         WHERE contact_id = ANY(:contact_ids) AND state IN ('active', 'waiting') ORDER BY id FOR UPDATE
    )
    UPDATE enrollments SET state = 'stopped', stop_reason = :reason, stopped_at = :now, next_at = NULL
      FROM running WHERE enrollments.id = running.id
""")
# A mail that a sender has locked is on its way already; waiting for it could deadlock with its group.
_CANCEL = text("""
    WITH queued AS MATERIALIZED (
        SELECT id FROM emails
         WHERE contact_id = ANY(:contact_ids) AND status = 'queued' AND kind = 'marketing'
         ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE emails SET status = 'cancelled', reason = :reason FROM queued WHERE emails.id = queued.id
""")


def stop(session: Session, contact_ids: Sequence[UUID], reason: str, *, now: datetime) -> int:
    """End the contacts' running enrollments in every campaign and cancel their queued marketing mails.

    `reason` is what the contact did: `converted`, `replied`, `unsubscribed`, `bounced`, `complained`. Returns how
    many enrollments were running; the first reason stays, so it is safe to repeat.
    """
    if not contact_ids:
        return 0
    values = {"contact_ids": list(contact_ids), "reason": reason}
    stopped = session.execute(_STOP, {**values, "now": now})
    session.execute(_CANCEL, values)
    return int(stopped.rowcount)  # type: ignore[attr-defined]
