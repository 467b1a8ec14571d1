"""Claim the e-mails that are due, as a group that one sender sends and settles together.

queued ─claim─▶ claimed ─start─▶ sending ─settle─▶ sent | failed | in_doubt | queued again. With an open connection,
claim and start are one statement. Each transition checks the state and the claim that it expects (R8).

This module claims e-mails that have rows. `campaigns.due` claims the due step of a campaign, whose e-mails have no rows
yet. Both open a group; `settle` settles it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.messages import variables
from errors import Fenced
from models import arrays, ids, vault


class ClaimedEmail(NamedTuple):
    """One e-mail of a group, with all that is needed to compose it."""

    email_id: UUID
    message_id: str
    contact_id: UUID
    to: str
    to_name: str | None
    template: str
    variables: Mapping[str, Any]
    kind: str
    campaign_id: UUID | None
    enrollment_id: UUID | None
    step: int | None
    variant: str | None
    attempts: int
    tried_since: datetime


@dataclass(frozen=True, slots=True)
class Dropped:
    """An e-mail that was due but may not be sent any more: it was cancelled instead of claimed."""

    email_id: UUID
    contact_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class GroupStep:
    """The campaign step of a group whose e-mails have no rows yet, and when the group was claimed."""

    campaign_id: UUID
    step: int
    template: str
    subject: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """E-mails claimed together; `started` once they are recorded as sending. With a `step` they have no rows yet."""

    id: UUID
    emails: Sequence[ClaimedEmail]
    dropped: Sequence[Dropped]
    started: bool
    step: GroupStep | None = None


@dataclass(frozen=True, slots=True)
class Claimant:
    """A sender that claims e-mails of a lane for `lease_s` seconds.

    If it `is_connected`, its e-mails are recorded as sending at once.
    """

    sender_id: UUID
    lane: str
    lease_s: float
    is_connected: bool


_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT id, contact_id, enrollment_id, kind, accepted_at FROM emails
    WHERE status = 'queued' AND lane = :lane AND due_at <= :now
      AND (campaign_id IS NULL OR campaign_id NOT IN (SELECT id FROM campaigns WHERE state = 'paused'))
    ORDER BY due_at, id LIMIT :limit
    FOR UPDATE SKIP LOCKED
), person AS (
    SELECT due.id, c.email, c.first_name, c.last_name, c.company, c.role, c.industry, c.attributes,
           coalesce(s.reason, n.stop_reason,
                    CASE WHEN due.kind = 'transactional' OR due.enrollment_id IS NOT NULL THEN NULL
                         WHEN c.converted_at > due.accepted_at THEN 'converted'
                         WHEN c.email_followup_status IN ('replied', 'converted')
                              AND EXISTS (SELECT 1 FROM emails r WHERE r.contact_id = c.id
                                                                   AND r.replied_at > due.accepted_at)
                         THEN 'replied' END) AS obstacle,
           CASE WHEN due.kind = 'marketing' THEN c.paused_until END AS pause_ends,
           due.kind = 'marketing' AND c.paused_until > :now AS is_paused
    FROM due
    JOIN contacts c ON c.id = due.contact_id
    LEFT JOIN suppressions s ON s.email_index = c.email_index
         AND (due.kind = 'marketing' OR s.reason IN ('hard_bounce', 'complaint'))
    LEFT JOIN enrollments n ON n.id = due.enrollment_id AND n.state = 'stopped'
)
UPDATE emails e
SET status = CASE WHEN p.obstacle IS NOT NULL THEN 'cancelled' WHEN p.is_paused THEN 'queued' ELSE :status END,
    claim = CASE WHEN p.obstacle IS NULL AND p.is_paused IS NOT TRUE THEN CAST(:group AS uuid) END,
    due_at = CASE WHEN p.is_paused THEN p.pause_ends ELSE e.due_at END,
    reason = CASE WHEN p.obstacle IS NULL AND p.is_paused THEN 'paused' ELSE p.obstacle END
FROM person p WHERE p.id = e.id
RETURNING e.id, e.message_id, e.contact_id, e.template, e.variables, e.kind, e.campaign_id, e.enrollment_id,
          e.step, e.variant, e.attempts, greatest(e.accepted_at, p.pause_ends) AS tried_since, p.obstacle, p.is_paused,
          p.email, p.first_name, p.last_name, p.company, p.role, p.industry, p.attributes
""")

_OPEN = text(
    "INSERT INTO send_groups (id, sender_id, lane, campaign_id, step, is_started, members, leased_until) "
    "VALUES (:group, :sender, :lane, :campaign, :step, :started, CAST(:members AS uuid[]), "
    "now() + make_interval(secs => :lease))"
)


def open_group(
    session: Session,
    group_id: UUID,
    claimant: Claimant,
    members: Sequence[UUID],
    *,
    step: tuple[UUID, int] | None = None,
) -> None:
    """Insert an open group of these members: e-mails, or enrollments if `step` names a campaign and its step."""
    campaign_id, number = step or (None, None)
    values = {
        "group": group_id,
        "sender": claimant.sender_id,
        "lane": claimant.lane,
        "campaign": campaign_id,
        "step": number,
        "started": claimant.is_connected,
        "lease": claimant.lease_s,
        "members": arrays.uuids(members),
    }
    session.execute(_OPEN, values)


def claim(session: Session, claimant: Claimant, *, limit: int, now: datetime) -> Group | None:
    """Claim up to `limit` due e-mails of the lane that have rows, oldest first; None when nothing is due.

    Cancels e-mails to contacts who may not be mailed any more (R13), also those that a stop skipped because a sender
    had claimed them then. Puts off e-mails to contacts who asked for a pause until its end. Skips rows that others
    have locked, never waits for them (R6).
    """
    group_id = ids.new()
    status = "sending" if claimant.is_connected else "claimed"
    values = {"lane": claimant.lane, "now": now, "limit": limit, "status": status, "group": group_id}
    rows = session.execute(_CLAIM, values).all()
    if not rows:
        return None
    free = [row for row in rows if row.obstacle is None and not row.is_paused]
    if free:
        open_group(session, group_id, claimant, [row.id for row in free])
    campaigns = _campaigns(session, {row.campaign_id for row in free if row.campaign_id})
    emails = [_claimed(row, campaigns.get(row.campaign_id, _NONE)) for row in free]
    dropped = [Dropped(row.id, row.contact_id, row.obstacle) for row in rows if row.obstacle is not None]
    return Group(group_id, emails, dropped, claimant.is_connected)


def start(session: Session, group: Group) -> None:
    """Record a claimed group as sending. Commit before its first byte is sent."""
    begin = text("UPDATE send_groups SET is_started = true WHERE id = :group AND state = 'open'")
    expect_rows(session.execute(begin, {"group": group.id}), 1, group.id)
    if group.step is None:
        update = text("UPDATE emails SET status = 'sending' WHERE claim = :group AND status = 'claimed'")
        expect_rows(session.execute(update, {"group": group.id}), len(group.emails), group.id)


def renew(session: Session, group_id: UUID, *, lease_s: float) -> None:
    """Extend the lease of an open group to `lease_s` seconds from now, by the database's clock."""
    update = text(
        "UPDATE send_groups SET leased_until = now() + make_interval(secs => :lease) "
        "WHERE id = :group AND state = 'open'"
    )
    expect_rows(session.execute(update, {"group": group_id, "lease": lease_s}), 1, group_id)


def expect_rows(result: Any, rows: int, group_id: UUID) -> None:
    """Raise Fenced unless the statement changed that many rows: others have taken over part of the group."""
    changed = int(result.rowcount)
    if changed != rows:
        raise Fenced(f"group {group_id}: {rows} rows were ours, {changed} still are; others have taken over the rest")


class _Campaign(NamedTuple):
    """The variables shared by a campaign's e-mails, and when a person last resumed the campaign."""

    variables: Mapping[str, Any]
    resumed_at: datetime | None


_NONE = _Campaign({}, None)


def _campaigns(session: Session, ids: set[UUID]) -> dict[UUID, _Campaign]:
    if not ids:
        return {}
    query = text("SELECT id, variables, pardoned_at FROM campaigns WHERE id = ANY(:ids)")
    rows = session.execute(query, {"ids": list(ids)})
    return {row.id: _Campaign(row.variables, row.pardoned_at) for row in rows}


def _claimed(row: Row[Any], campaign: _Campaign) -> ClaimedEmail:
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    return ClaimedEmail(
        email_id=row.id,
        message_id=row.message_id,
        contact_id=row.contact_id,
        to=vault.current().decrypt(row.email),
        to_name=name or None,
        template=row.template,
        variables=variables.of(row, campaign.variables),
        kind=row.kind,
        campaign_id=row.campaign_id,
        enrollment_id=row.enrollment_id,
        step=row.step,
        variant=row.variant,
        attempts=row.attempts,
        tried_since=max(row.tried_since, campaign.resumed_at or row.tried_since),
    )
