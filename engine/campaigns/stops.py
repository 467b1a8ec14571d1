"""Stops: end the sequences of a contact, with the earliest cause as the reason."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import emails
from models import arrays, ids

CAUSES = ("replied", "unsubscribed", "bounced", "converted", "complained")
# The stop reason for each reason of a suppression.
BY_SUPPRESSION = {
    "unsubscribed": "unsubscribed",
    "hard_bounce": "bounced",
    "complaint": "complained",
    "manual": "suppressed",
    "erased": "erased",
}

# Locks by id, so that two stops at once cannot deadlock.
_STOP = text("""
    WITH running AS MATERIALIZED (
        SELECT id FROM enrollments
         WHERE contact_id = ANY(:contact_ids) AND state IN ('active', 'waiting') ORDER BY id FOR UPDATE
    )
    UPDATE enrollments SET state = 'stopped', stop_reason = :reason, stopped_at = :now, next_at = NULL
      FROM running WHERE enrollments.id = running.id
""")
# Events arrive in any order, so the first one applied may have happened after others.
_KEEP_EARLIEST = text("""
    UPDATE enrollments SET stop_reason = v.reason, stopped_at = v.at
      FROM unnest(CAST(:contacts AS uuid[]), CAST(:reasons AS text[]), CAST(:moments AS timestamptz[]))
           AS v (contact_id, reason, at)
     WHERE enrollments.contact_id = v.contact_id AND enrollments.state = 'stopped'
       AND enrollments.stop_reason = ANY(:known) AND (v.at, v.reason) < (enrollments.stopped_at, stop_reason)
""")
_STOP_THESE = text("""
    WITH running AS MATERIALIZED (
        SELECT v.id, v.reason FROM enrollments
          JOIN unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS v (id, reason) ON v.id = enrollments.id
         WHERE state IN ('active', 'waiting') ORDER BY v.id FOR UPDATE OF enrollments
    )
    UPDATE enrollments SET state = 'stopped', stop_reason = running.reason, stopped_at = :now, next_at = NULL
      FROM running WHERE enrollments.id = running.id
""")
# Windows of all enrollments in the order of their ids. Those of a campaign are younger than it, and adjacent.
# States are named by those that have ended, so that no plan reads ix_enrollments_running, which has all windows.
_WINDOW_END = text("SELECT id FROM enrollments WHERE id > CAST(:after AS uuid) ORDER BY id OFFSET :limit - 1 LIMIT 1")
_IN_WINDOW = """
    campaign_id = :campaign_id AND state NOT IN ('finished', 'stopped') AND id > CAST(:after AS uuid)
    AND id <= coalesce(CAST(:last AS uuid), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
"""
_LOCK_WINDOW = text(f"""
    WITH running AS MATERIALIZED (
        SELECT id, next_step, state FROM enrollments WHERE {_IN_WINDOW} ORDER BY id FOR UPDATE
    )
    SELECT id, next_step FROM running WHERE state = 'waiting'
""")  # noqa: S608  # constants only
_STOP_WINDOW = text(f"""
    UPDATE enrollments SET state = 'stopped', stop_reason = 'cancelled', stopped_at = :now, next_at = NULL
     WHERE {_IN_WINDOW}
""")  # noqa: S608  # constants only


class Cause(NamedTuple):
    """The moment and the reason, one of `CAUSES`, of a stop; the least of several counts."""

    at: datetime
    reason: str


def stop(session: Session, contact_ids: Sequence[UUID], reason: str, *, now: datetime) -> int:
    """Stop the contacts' running enrollments in every campaign and cancel their queued marketing e-mails.

    Returns the number of enrollments that were running. The first reason stays; safe to repeat.
    """
    if not contact_ids:
        return 0
    values = {"contact_ids": list(contact_ids), "reason": reason, "now": now}
    stopped = session.execute(_STOP, values)
    emails.cancel_queued(session, contact_ids, reason)
    return int(stopped.rowcount)  # type: ignore[attr-defined]


def stop_enrollments(session: Session, reasons: Mapping[UUID, str], *, now: datetime) -> None:
    """Stop these enrollments, if they are running, each for its reason. Other enrollments of the contact go on."""
    if reasons:
        values = {"ids": arrays.uuids(reasons), "reasons": arrays.words(reasons.values()), "now": now}
        session.execute(_STOP_THESE, values)


def stop_campaign(session: Session, campaign_id: UUID, after: UUID, *, now: datetime, limit: int) -> UUID | None:
    """Stop a page of a cancelled campaign's enrollments, and cancel their queued e-mails, except locked ones.

    The page is the next `limit` enrollments of all campaigns after `after`. Returns the id of the last one, from which
    to continue; None if there are no others. A claim cancels an e-mail that is queued again later. Safe to repeat.
    """
    begin = max(after, ids.before(campaign_id))
    last: UUID | None = session.scalar(_WINDOW_END, {"after": begin, "limit": limit})
    window = {"campaign_id": campaign_id, "after": begin, "last": last}
    waiting = [ids.of_step(row.id, row.next_step) for row in session.execute(_LOCK_WINDOW, window)]
    session.execute(_STOP_WINDOW, window | {"now": now})
    emails.cancel_free(session, waiting, "cancelled")
    return last


def stop_for(session: Session, causes: Mapping[UUID, Cause], *, now: datetime) -> None:
    """Stop these contacts, whose rows are locked, each for its cause.

    Safe to repeat and in any order: `stop_reason` and `stopped_at` become those of the earliest cause.
    """
    if not causes:
        return
    by_reason: dict[str, list[UUID]] = defaultdict(list)
    for contact_id, cause in causes.items():
        by_reason[cause.reason].append(contact_id)
    for reason, contact_ids in sorted(by_reason.items()):  # at most five
        stop(session, contact_ids, reason, now=now)
    values = {
        "contacts": list(causes),
        "reasons": [cause.reason for cause in causes.values()],
        "moments": [cause.at for cause in causes.values()],
        "known": list(CAUSES),
    }
    session.execute(_KEEP_EARLIEST, values)
