"""Settle a group: record the outcome of each of its e-mails and close it, in one transaction.

An e-mail of a campaign's step gets its row here, at its first attempt (docs/decisions/0002). One that was not tried
gets none: its step is due again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.delivery import claim, transitions
from engine.delivery.claim import GroupStep
from engine.delivery.outcomes import Outcome
from engine.delivery.transitions import Settled
from models import arrays

_UPDATE = text("""
UPDATE emails e
SET status = v.status, sent_at = v.sent_at, due_at = coalesce(v.due_at, e.due_at), response = v.response,
    reason = v.reason, attempts = e.attempts + v.attempts,
    relay = CASE WHEN v.attempts > 0 THEN :relay ELSE e.relay END,
    claim = CASE WHEN v.status = 'in_doubt' THEN e.claim END
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:sent AS timestamptz[]),
            CAST(:due AS timestamptz[]), CAST(:responses AS text[]), CAST(:reasons AS text[]),
            CAST(:attempts AS int[]))
     AS v(id, status, sent_at, due_at, response, reason, attempts)
WHERE e.id = v.id AND e.claim = :group AND e.status IN ('claimed', 'sending')
""")
# A row that is there already was inserted for an early event (`early_events.admit`).
_INSERT = text("""
INSERT INTO emails (id, contact_id, enrollment_id, status, sent_at, due_at, response, reason, attempts, claim,
                    template, template_version, subject, lane, campaign_id, step, message_id, accepted_at, relay)
SELECT v.id, v.contact_id, v.enrollment_id, v.status, v.sent_at, coalesce(v.due_at, :claimed_at), v.response,
       v.reason, 1,
       CASE WHEN v.status = 'in_doubt' THEN CAST(:group AS uuid) END,
       CAST(:template AS text), CAST(:template_version AS smallint), CAST(:subject AS text), 'campaign',
       CAST(:campaign AS uuid), CAST(:step AS smallint),
       replace(CAST(v.id AS text), '-', '') || CAST(:at_domain AS text), :claimed_at,
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
_GIVE_BACK = text("""
UPDATE emails SET status = 'queued', claim = NULL, due_at = v.due_at, response = v.response, reason = v.reason
  FROM unnest(CAST(:ids AS uuid[]), CAST(:due AS timestamptz[]), CAST(:responses AS text[]), CAST(:reasons AS text[]))
       AS v(id, due_at, response, reason)
 WHERE emails.id = v.id AND claim = :group AND status = 'sending'
RETURNING emails.id
""")
_CLOSE = text(
    "UPDATE send_groups SET state = :state, ended_at = now(), answered = :answered, given_back = :given_back, "
    "in_doubt = :in_doubt, reason = :reason WHERE id = :group AND state = 'open'"
)


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A group to be settled: with a `step` its e-mails have no rows yet; `relay` sent them."""

    id: UUID
    step: GroupStep | None = None
    relay: str | None = None
    is_recovered: bool = False


def settle(
    session: Session,
    group: OpenGroup,
    results: Sequence[tuple[transitions.Attempted, Outcome]],
    *,
    now: datetime,
    moment: Callable[[int], datetime] | None = None,
) -> list[Settled]:
    """Record the outcome of every e-mail of a group, close the group, and return the next states.

    `moment` returns product time for a unix time in ms; without it everything was sent at `now`. Raises Fenced if any
    row is not the group's any more: roll back, then.
    """
    settled = [transitions.decide(email, outcome, now=now, moment=moment) for email, outcome in results]
    _close(session, group, settled)  # first: from here on no early event adds a row to the group
    if group.step is not None:
        return _insert(session, group, group.step, settled)
    if settled:
        _update(session, group, settled)
    return settled


def _insert(session: Session, group: OpenGroup, step: GroupStep, settled: Sequence[Settled]) -> list[Settled]:
    tried = [email for email in settled if email.attempts]
    if tried:
        _insert_rows(session, group, step, tried)
    if len(tried) == len(settled):
        return tried
    return tried + _give_back(session, group.id, [email for email in settled if not email.attempts])


def _insert_rows(session: Session, group: OpenGroup, step: GroupStep, tried: Sequence[Settled]) -> None:
    values = {
        "group": group.id,
        "campaign": step.campaign_id,
        "step": step.step,
        "template": step.template,
        "template_version": step.template_version,
        "subject": step.subject,
        "claimed_at": step.claimed_at,
        "at_domain": f"@{settings.current().message_domain}",
        "relay": group.relay,
        "ids": arrays.uuids([email.email_id for email in tried]),
        "contacts": arrays.uuids([email.contact_id for email in tried]),
        "enrollments": arrays.uuids([email.enrollment_id for email in tried if email.enrollment_id]),
        "statuses": arrays.words([email.status for email in tried]),
        "sent": arrays.moments([email.sent_at for email in tried]),
        "due": arrays.moments([email.due_at for email in tried]),
        "responses": arrays.words([email.response for email in tried]),
        "reasons": arrays.words([email.reason for email in tried]),
    }
    claim.expect_rows(session.execute(_INSERT, values), len(tried), group.id)


def _give_back(session: Session, group_id: UUID, untried: Sequence[Settled]) -> list[Settled]:
    """Give back e-mails that were not tried: queue those for which an early event made a row; the others have none.

    Either kind is due at its `due_at`, or at once if that is None.
    """
    values = {
        "group": group_id,
        "ids": arrays.uuids([email.email_id for email in untried]),
        "due": arrays.moments([email.due_at or email.at for email in untried]),
        "responses": arrays.words([email.response for email in untried]),
        "reasons": arrays.words([email.reason for email in untried]),
    }
    with_row = set(session.scalars(_GIVE_BACK, values))
    return [email._replace(has_row=email.email_id in with_row) for email in untried]


def _update(session: Session, group: OpenGroup, settled: Sequence[Settled]) -> None:
    values = {
        "group": group.id,
        "relay": group.relay,
        "ids": arrays.uuids([email.email_id for email in settled]),
        "statuses": arrays.words([email.status for email in settled]),
        "sent": arrays.moments([email.sent_at for email in settled]),
        "due": arrays.moments([email.due_at for email in settled]),
        "responses": arrays.words([email.response for email in settled]),
        "reasons": arrays.words([email.reason for email in settled]),
        "attempts": [email.attempts for email in settled],
    }
    claim.expect_rows(session.execute(_UPDATE, values), len(settled), group.id)


def _close(session: Session, group: OpenGroup, settled: Sequence[Settled]) -> None:
    given_back = sum(email.status == "queued" and not email.attempts for email in settled)
    in_doubt = sum(email.status == "in_doubt" for email in settled)
    counts = {"answered": len(settled) - given_back - in_doubt, "given_back": given_back, "in_doubt": in_doubt}
    why = (
        next((email.response for email in settled if email.reason == transitions.UNTRIED), None) if given_back else None
    )
    state = "recovered" if group.is_recovered else "settled"
    claim.expect_rows(
        session.execute(_CLOSE, {"group": group.id, "state": state, "reason": why, **counts}), 1, group.id
    )
