"""Sorting what a dead sender had in hand: by its recorder where there is one, else all of it is in doubt (R9e)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import groups, replies
from engine.delivery.outcomes import InDoubt, Outcome, Phase, Sent, Untried
from engine.delivery.recorder import Mark, Recording, Slot
from engine.delivery.verdicts import Settled
from models import vault

_OPEN = text("SELECT id FROM send_groups WHERE sender_id = :sender AND state = 'open' ORDER BY id FOR UPDATE")
_MEMBERS = text(
    "SELECT e.id, e.contact_id, e.campaign_id, e.enrollment_id, e.step, e.variant, e.attempts, e.accepted_at, "
    "e.status, c.email FROM emails e JOIN contacts c ON c.id = e.contact_id "
    "WHERE e.claim = :group AND e.status IN ('claimed', 'sending')"
)


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
    accepted_at: datetime


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
    for group_id in session.scalars(_OPEN, {"sender": sender_id}).all():
        rows = session.execute(_MEMBERS, {"group": group_id}).all()
        results = [(_left(row), _outcome(row, group_id, recording, moment)) for row in rows]
        settled += groups.settle(session, group_id, results, state="recovered", now=now)
    return settled


def _left(row: Row[tuple[object, ...]]) -> _Left:
    return _Left(
        row.id,
        row.contact_id,
        row.campaign_id,
        row.enrollment_id,
        row.step,
        row.variant,
        row.attempts,
        row.accepted_at,
    )


def _outcome(
    row: Row[tuple[object, ...]], group_id: UUID, recording: Recording | None, moment: Callable[[int], datetime]
) -> Outcome:
    if row.status == "claimed":
        return Untried("")  # never started
    if recording is None:
        return InDoubt("its sender died and left no recorder")
    slot = recording.slots.get(row.id) if recording.group_id == group_id else None
    if slot is None or slot.mark is Mark.NOTHING:
        return Untried("")
    if slot.mark is Mark.COMPLETE:
        return InDoubt("its sender died before the server's reply")
    return _answered(slot, vault.current().decrypt(row.email), moment)


def _answered(slot: Slot, recipient: str, moment: Callable[[int], datetime]) -> Outcome:
    words = slot.reply.decode("utf-8", "replace")
    outcome = replies.classify(Phase(slot.phase), slot.code, words, recipient=recipient, at_ms=slot.at_ms)
    return replace(outcome, at=moment(slot.at_ms)) if isinstance(outcome, Sent) else outcome
