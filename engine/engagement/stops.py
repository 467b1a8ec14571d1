"""Stops: what a contact did ends its sequences, and the earliest of several causes is the one that is told."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import enrollments

CAUSES = ("replied", "unsubscribed", "bounced", "converted", "complained")

# Events come in any order, so the first one applied need not be the first that happened.
_EARLIEST = text("""
UPDATE enrollments SET stop_reason = came.cause, stopped_at = came.at
FROM unnest(CAST(:contacts AS uuid[]), CAST(:causes AS text[]), CAST(:moments AS timestamptz[]))
     AS came (contact_id, cause, at)
WHERE enrollments.contact_id = came.contact_id AND enrollments.state = 'stopped'
  AND enrollments.stop_reason = ANY(:known) AND (came.at, came.cause) < (enrollments.stopped_at, stop_reason)
""")


class Cause(NamedTuple):
    """Why and when; the least of several is the one that counts."""

    at: datetime
    reason: str


def stop(session: Session, causes: Mapping[UUID, Cause], *, now: datetime) -> None:
    """End the running enrollments of these contacts and cancel what is queued for them; their rows are locked.

    Safe to repeat and in any order: `stop_reason` and `stopped_at` become those of the earliest cause.
    """
    if not causes:
        return
    by_reason: dict[str, list[UUID]] = defaultdict(list)
    for contact_id, cause in causes.items():
        by_reason[cause.reason].append(contact_id)
    for reason, contact_ids in sorted(by_reason.items()):  # at most five
        enrollments.stop(session, contact_ids, reason, now=now)
    values = {
        "contacts": list(causes),
        "causes": [cause.reason for cause in causes.values()],
        "moments": [cause.at for cause in causes.values()],
        "known": list(CAUSES),
    }
    session.execute(_EARLIEST, values)
