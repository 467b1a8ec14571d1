"""Births: a campaign's mail gets its row when its first attempt is settled, not before (docs/decisions/0002)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.delivery.transitions import Settled
from models import arrays


@dataclass(frozen=True, slots=True)
class Origin:
    """What the mails of a group share that have no rows yet: their step, and since when they are in hand."""

    campaign_id: UUID
    step: int
    template: str
    subject: str
    taken_at: datetime


# A row that is there already was inserted for an early event (`early_events.admit`).
_RECORD = text("""
INSERT INTO emails (id, contact_id, enrollment_id, status, sent_at, due_at, response, reason, attempts, claim,
                    template, subject, lane, campaign_id, step, message_id, accepted_at, relay)
SELECT v.id, v.contact_id, v.enrollment_id, v.status, v.sent_at, coalesce(v.due_at, :taken_at), v.response, v.reason, 1,
       CASE WHEN v.status = 'in_doubt' THEN CAST(:group AS uuid) END,
       CAST(:template AS text), CAST(:subject AS text), 'campaign', CAST(:campaign AS uuid), CAST(:step AS smallint),
       replace(CAST(v.id AS text), '-', '') || CAST(:at_domain AS text), :taken_at,
       CAST(:relay AS text)
FROM unnest(CAST(:ids AS uuid[]), CAST(:contacts AS uuid[]), CAST(:enrollments AS uuid[]), CAST(:statuses AS text[]),
            CAST(:sent AS timestamptz[]), CAST(:due AS timestamptz[]), CAST(:responses AS text[]),
            CAST(:reasons AS text[]))
     AS v(id, contact_id, enrollment_id, status, sent_at, due_at, response, reason)
ON CONFLICT (id) DO UPDATE
SET status = excluded.status, sent_at = excluded.sent_at, due_at = excluded.due_at, response = excluded.response,
    reason = excluded.reason, attempts = excluded.attempts, claim = excluded.claim, relay = excluded.relay
WHERE emails.claim = :group
""")

_HAND_BACK = text("""
UPDATE emails SET status = 'queued', claim = NULL, due_at = v.due_at, response = v.response
  FROM unnest(CAST(:ids AS uuid[]), CAST(:due AS timestamptz[]), CAST(:responses AS text[])) AS v(id, due_at, response)
 WHERE emails.id = v.id AND claim = :group AND status = 'sending'
RETURNING emails.id
""")


def record(
    session: Session, group_id: UUID, origin: Origin, settled: Sequence[Settled], *, relay: str | None = None
) -> int:
    """Make the rows of these mails, which something has become of over `relay`; how many there are. One statement."""
    values = {
        "group": group_id,
        "campaign": origin.campaign_id,
        "step": origin.step,
        "template": origin.template,
        "subject": origin.subject,
        "taken_at": origin.taken_at,
        "at_domain": f"@{settings.current().message_domain}",
        "relay": relay,
        "ids": arrays.uuids([mail.email_id for mail in settled]),
        "contacts": arrays.uuids([mail.contact_id for mail in settled]),
        "enrollments": arrays.uuids([mail.enrollment_id for mail in settled if mail.enrollment_id]),
        "statuses": arrays.words([mail.status for mail in settled]),
        "sent": arrays.moments([mail.sent_at for mail in settled]),
        "due": arrays.moments([mail.due_at for mail in settled]),
        "responses": arrays.words([mail.response for mail in settled]),
        "reasons": arrays.words([mail.reason for mail in settled]),
    }
    return int(session.execute(_RECORD, values).rowcount)  # type: ignore[attr-defined]


def hand_back(session: Session, group_id: UUID, settled: Sequence[Settled]) -> list[Settled]:
    """Mails of the group that nothing became of: without rows, but for those that an event gave one early.

    Either are due when their turn comes, at once where none was given.
    """
    values = {
        "group": group_id,
        "ids": arrays.uuids([mail.email_id for mail in settled]),
        "due": arrays.moments([mail.due_at or mail.at for mail in settled]),
        "responses": arrays.words([mail.response for mail in settled]),
    }
    early = set(session.scalars(_HAND_BACK, values))
    return [mail._replace(has_row=mail.email_id in early) for mail in settled]
