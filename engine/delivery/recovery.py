"""Sorting what a dead sender had in hand: by its recorder where there is one, else all of it is in doubt (R9e)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import claim, replies
from engine.delivery.births import Origin
from engine.delivery.outcomes import InDoubt, Outcome, Phase, Untried
from engine.delivery.recorder import Mark, Recording
from engine.delivery.transitions import Settled
from models import ids, vault

_OPEN = text(
    "SELECT id, campaign_id, step, is_started, started_at FROM send_groups "
    "WHERE sender_id = :sender AND state = 'open' ORDER BY id FOR UPDATE"
)
_MEMBERS = text(
    "SELECT e.id, e.contact_id, e.campaign_id, e.enrollment_id, e.step, e.variant, e.attempts, c.email, "
    "greatest(e.accepted_at, k.pardoned_at, CASE WHEN e.kind = 'marketing' THEN c.paused_until END) AS tried_since "
    "FROM emails e JOIN contacts c ON c.id = e.contact_id LEFT JOIN campaigns k ON k.id = e.campaign_id "
    "WHERE e.claim = :group AND e.status IN ('claimed', 'sending')"
)
_UNBORN = text(
    "SELECT n.id AS enrollment_id, n.contact_id, n.campaign_id, c.email "
    "FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN enrollments n ON n.id = m.id "
    "JOIN contacts c ON c.id = n.contact_id WHERE g.id = :group"
)
_STEP = text("SELECT template, subject FROM campaign_steps WHERE campaign_id = :campaign AND step = :step")


@dataclass(frozen=True, slots=True)
class _Left:
    """A message that a dead sender left behind."""

    email_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    enrollment_id: UUID | None
    step: int | None
    variant: str | None
    attempts: int
    tried_since: datetime


def sort(
    session: Session,
    sender_id: UUID,
    recording: Recording | None,
    *,
    now: datetime,
    moment: Callable[[int], datetime],
) -> list[Settled]:
    """Settle every open group of a fenced sender and tell what became of each message; safe to repeat.

    `moment` turns the recorder's unix milliseconds into product time. Locks the groups' rows.
    """
    settled: list[Settled] = []
    for group in session.execute(_OPEN, {"sender": sender_id}).all():
        origin = _origin(session, group, moment) if group.campaign_id else None
        left = _unborn(session, group, origin) if origin else _with_rows(session, group)
        results = [(message, _outcome(message, address, group, recording)) for message, address in left]
        relay = recording.relay if recording is not None and recording.group_id == group.id else None
        settled += claim.settle(
            session, group.id, results, origin=origin, relay=relay, state="recovered", now=now, moment=moment
        )
    return settled


def _origin(session: Session, group: Row[Any], moment: Callable[[int], datetime]) -> Origin:
    step = session.execute(_STEP, {"campaign": group.campaign_id, "step": group.step}).one()
    taken_at = moment(int(group.started_at.timestamp() * 1000))
    return Origin(group.campaign_id, group.step, step.template, step.subject, taken_at)


def _with_rows(session: Session, group: Row[Any]) -> list[tuple[_Left, str]]:
    """What the group's rows say, and the sealed address of each."""
    rows = session.execute(_MEMBERS, {"group": group.id})
    return [
        (
            _Left(
                row.id,
                row.contact_id,
                row.campaign_id,
                row.enrollment_id,
                row.step,
                row.variant,
                row.attempts,
                row.tried_since,
            ),
            row.email,
        )
        for row in rows
    ]


def _unborn(session: Session, group: Row[Any], origin: Origin) -> list[tuple[_Left, str]]:
    """The same of a group whose mails have no rows yet."""
    rows = session.execute(_UNBORN, {"group": group.id})
    return [
        (
            _Left(
                ids.of_step(row.enrollment_id, group.step),
                row.contact_id,
                row.campaign_id,
                row.enrollment_id,
                group.step,
                None,
                0,
                origin.taken_at,
            ),
            row.email,
        )
        for row in rows
    ]


def _outcome(message: _Left, address: str, group: Row[Any], recording: Recording | None) -> Outcome:
    if not group.is_started:
        return Untried("")
    if recording is None:
        return InDoubt("its sender died and left no recorder")
    slot = recording.slots.get(message.email_id) if recording.group_id == group.id else None
    if slot is None or slot.mark is Mark.NOTHING:
        return Untried("")
    if slot.mark is Mark.COMPLETE:
        return InDoubt("its sender died before the server's reply")
    words = slot.reply.decode("utf-8", "replace")
    recipient = vault.current().decrypt(address)
    return replies.classify(Phase(slot.phase), slot.code, words, recipient=recipient, at_ms=slot.at_ms)
