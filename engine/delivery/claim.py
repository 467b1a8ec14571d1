"""Claim the e-mails that are due, as a group that one sender sends and settles together.

queued ─claim─▶ claimed ─start─▶ sending ─settle─▶ sent | failed | in_doubt | queued again. With an open connection,
claim and start are one statement. Each transition checks the state and the claim that it expects (R8).

`campaigns.agenda` claims e-mails that have rows, `campaigns.due` the due step of a campaign, whose e-mails have no rows
yet. Both decide by `campaigns.decisions` and open a group here; `settle` settles it.
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
    """One e-mail of a group, with all that is needed to compose it; `to` is empty if that cannot be decrypted."""

    email_id: UUID
    message_id: str
    contact_id: UUID
    to: str
    to_name: str | None
    template: str
    template_version: int | None
    variables: Mapping[str, Any]
    kind: str
    campaign_id: UUID | None
    enrollment_id: UUID | None
    step: int | None
    variant: str | None
    attempts: int
    tried_since: datetime


@dataclass(frozen=True, slots=True)
class GroupStep:
    """The campaign step of a group whose e-mails have no rows yet, and when the group was claimed."""

    campaign_id: UUID
    step: int
    template: str
    template_version: int | None
    subject: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """E-mails claimed together; `started` once they are recorded as sending. With a `step` they have no rows yet."""

    id: UUID
    emails: Sequence[ClaimedEmail]
    started: bool
    step: GroupStep | None = None


@dataclass(frozen=True, slots=True)
class Claimant:
    """A sender that claims e-mails of a lane for `lease_s` seconds, except those of the templates it cannot use.

    These are named as by `templates.label`.
    If it `is_connected`, its e-mails are recorded as sending at once.
    """

    sender_id: UUID
    lane: str
    lease_s: float
    is_connected: bool
    unusable: Sequence[str] = ()


_LOCK_DUE = text("""
WITH due AS MATERIALIZED (
    SELECT id, message_id, contact_id, enrollment_id, campaign_id, step, variant, template, template_version, variables,
           kind, attempts, accepted_at
      FROM emails
     WHERE status = 'queued' AND lane = :lane AND due_at <= :now
       AND (cardinality(CAST(:unusable AS text[])) = 0
            OR concat(template, '@' || template_version) <> ALL(CAST(:unusable AS text[])))
     ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
)
SELECT due.*, c.email, c.first_name, c.last_name, c.company, c.role, c.industry, c.attributes, c.paused_until,
       s.reason AS suppression, n.stop_reason AS stopped,
       CASE WHEN due.enrollment_id IS NULL THEN coalesce(c.converted_at > due.accepted_at, false)
            ELSE c.converted END AS converted,
       due.enrollment_id IS NULL AND c.email_followup_status IN ('replied', 'converted')
         AND EXISTS (SELECT FROM emails r WHERE r.contact_id = c.id AND r.replied_at > due.accepted_at) AS replied
  FROM due
  JOIN contacts c ON c.id = due.contact_id
  LEFT JOIN suppressions s ON s.email_index = c.email_index
  LEFT JOIN enrollments n ON n.id = due.enrollment_id AND n.state = 'stopped'
""")
_CAMPAIGNS = text("SELECT id, state, variables, pardoned_at FROM campaigns WHERE id = ANY(:ids)")
_TAKE = text("""
UPDATE emails SET status = :status, claim = :group, reason = NULL
 WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'queued'
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


def lock_due(session: Session, claimant: Claimant, *, limit: int, now: datetime) -> Sequence[Row[Any]]:
    """Lock up to `limit` e-mails of the lane that have rows and are due, oldest first; return them with their facts.

    Skips rows that others have locked, never waits for them (R6).
    """
    values = {"lane": claimant.lane, "unusable": list(claimant.unusable), "now": now, "limit": limit}
    return session.execute(_LOCK_DUE, values).all()


def campaigns_of(session: Session, rows: Sequence[Row[Any]]) -> dict[UUID, Row[Any]]:
    """Return the campaigns of these e-mails, with their state and shared variables."""
    campaign_ids = {row.campaign_id for row in rows if row.campaign_id}
    if not campaign_ids:
        return {}
    return {row.id: row for row in session.execute(_CAMPAIGNS, {"ids": list(campaign_ids)})}


def take(session: Session, claimant: Claimant, rows: Sequence[Row[Any]], campaigns: Mapping[UUID, Row[Any]]) -> Group:
    """Claim e-mails that `lock_due` returned, as a group; with an open connection they are sending at once."""
    group_id = ids.new()
    if rows:
        status = "sending" if claimant.is_connected else "claimed"
        members = arrays.uuids(row.id for row in rows)
        updated = session.execute(_TAKE, {"ids": members, "group": group_id, "status": status})
        expect_rows(updated, len(rows), group_id)
        open_group(session, group_id, claimant, [row.id for row in rows])
    return Group(group_id, [_claimed(row, campaigns.get(row.campaign_id)) for row in rows], claimant.is_connected)


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


def _claimed(row: Row[Any], campaign: Row[Any] | None) -> ClaimedEmail:
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    restarts = (row.paused_until if row.kind == "marketing" else None, campaign and campaign.pardoned_at)
    try:
        to, values = vault.current().decrypt(row.email), variables.of(row, campaign.variables if campaign else {})
    except (vault.InvalidToken, ValueError):
        to, values = "", {}
    return ClaimedEmail(
        email_id=row.id,
        message_id=row.message_id,
        contact_id=row.contact_id,
        to=to,
        to_name=name or None,
        template=row.template,
        template_version=row.template_version,
        variables=values,
        kind=row.kind,
        campaign_id=row.campaign_id,
        enrollment_id=row.enrollment_id,
        step=row.step,
        variant=row.variant,
        attempts=row.attempts,
        tried_since=max([row.accepted_at, *(at for at in restarts if at is not None)]),
    )
