"""Settle the groups of a dead sender: by its recorder, or, if that is lost, as in doubt (R9e)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import outcomes, settle
from engine.delivery.claim import GroupStep
from engine.delivery.outcomes import InDoubt, Outcome, Untried
from engine.delivery.recorder import Mark, Recording
from engine.delivery.settle import OpenGroup
from engine.delivery.transitions import Settled
from models import ids
from models.email import MARKETING

_OPEN = text(
    "SELECT id, campaign_id, step, is_started, started_at FROM send_groups "
    "WHERE sender_id = :sender AND state = 'open' ORDER BY id FOR UPDATE"
)
_WITH_ROWS = text(
    "SELECT e.id, e.contact_id, e.campaign_id, e.enrollment_id, e.step, e.variant, e.kind, e.attempts, "
    "greatest(e.accepted_at, k.pardoned_at, CASE WHEN e.kind = 'marketing' THEN c.paused_until END) AS tried_since "
    "FROM emails e JOIN contacts c ON c.id = e.contact_id LEFT JOIN campaigns k ON k.id = e.campaign_id "
    "WHERE e.claim = :group AND e.status IN ('claimed', 'sending')"
)
_WITHOUT_ROWS = text(
    "SELECT n.id AS enrollment_id, n.contact_id, n.campaign_id "
    "FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN enrollments n ON n.id = m.id WHERE g.id = :group"
)
_STEP = text(
    "SELECT template, template_version, subject FROM campaign_steps WHERE campaign_id = :campaign AND step = :step"
)


class _Left(NamedTuple):
    """An e-mail that a dead sender had claimed."""

    email_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    enrollment_id: UUID | None
    step: int | None
    variant: str | None
    kind: str
    attempts: int
    tried_since: datetime


def recover(
    session: Session,
    sender_id: UUID,
    recording: Recording | None,
    *,
    now: datetime,
    moment: Callable[[int], datetime],
) -> list[Settled]:
    """Settle every open group of a fenced sender and return the e-mails' next states. Safe to repeat.

    `moment` returns product time for the recorder's unix milliseconds. Locks the rows of the groups.
    """
    settled: list[Settled] = []
    for group in session.execute(_OPEN, {"sender": sender_id}).all():
        step = _step(session, group, moment) if group.campaign_id else None
        emails = _without_rows(session, group.id, step) if step else _with_rows(session, group.id)
        results = [(email, _outcome(email, group, recording)) for email in emails]
        relay = recording.relay if recording is not None and recording.group_id == group.id else None
        open_group = OpenGroup(group.id, step, relay, is_recovered=True)
        settled += settle.settle(session, open_group, results, now=now, moment=moment)
    return settled


def _step(session: Session, group: Row[Any], moment: Callable[[int], datetime]) -> GroupStep:
    step = session.execute(_STEP, {"campaign": group.campaign_id, "step": group.step}).one()
    claimed_at = moment(int(group.started_at.timestamp() * 1000))
    return GroupStep(group.campaign_id, group.step, step.template, step.template_version, step.subject, claimed_at)


def _with_rows(session: Session, group_id: UUID) -> list[_Left]:
    return [_Left._make(row) for row in session.execute(_WITH_ROWS, {"group": group_id})]


def _without_rows(session: Session, group_id: UUID, step: GroupStep) -> list[_Left]:
    return [
        _Left(
            email_id=ids.of_step(row.enrollment_id, step.step),
            contact_id=row.contact_id,
            campaign_id=row.campaign_id,
            enrollment_id=row.enrollment_id,
            step=step.step,
            variant=None,
            kind=MARKETING,
            attempts=0,
            tried_since=step.claimed_at,
        )
        for row in session.execute(_WITHOUT_ROWS, {"group": group_id})
    ]


def _outcome(email: _Left, group: Row[Any], recording: Recording | None) -> Outcome:
    if not group.is_started:
        return Untried("")
    if recording is None:
        return InDoubt("its sender died and left no recorder")
    slot = recording.slots.get(email.email_id) if recording.group_id == group.id else None
    if slot is None or slot.mark is Mark.NOTHING:
        return Untried("")
    if slot.mark is Mark.COMPLETE:
        return InDoubt("its sender died before the server's reply")
    return outcomes.from_byte(slot.decision, slot.code, slot.reply.decode("utf-8", "replace"), slot.at_ms)
