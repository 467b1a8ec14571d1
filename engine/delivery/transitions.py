"""From what became of a letter to what the ledger says of it; pure decisions, no statements."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import uniform
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import settings
from engine.delivery.outcomes import Deferred, InDoubt, Outcome, Paced, Rejected, Sent, Untried

# A letter in hand when its connection broke, and no decision had been reached: a poisoned one must not spin.
# Where refusals are tried again sooner than that, so is this.
BROKEN_PAUSE = timedelta(minutes=1)


class Attempted(Protocol):
    """What a decision needs to know of a message."""

    @property
    def email_id(self) -> UUID: ...
    @property
    def contact_id(self) -> UUID: ...
    @property
    def campaign_id(self) -> UUID | None: ...
    @property
    def enrollment_id(self) -> UUID | None: ...
    @property
    def step(self) -> int | None: ...
    @property
    def variant(self) -> str | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def tried_since(self) -> datetime:
        """From when its time for retries counts: its acceptance, or the end of its reader's or its campaign's pause."""
        ...


class Settled(NamedTuple):
    """One message's new state; `status` is its word in the ledger, `attempts` how many to charge it.

    A campaign's mail that was given back before anything became of it has no row (`has_row`): its step is due again.
    """

    email_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    enrollment_id: UUID | None
    step: int | None
    variant: str | None
    status: str
    at: datetime
    sent_at: datetime | None = None
    due_at: datetime | None = None
    response: str | None = None
    reason: str | None = None
    attempts: int = 0
    dead_address: bool = False
    has_row: bool = True


Moment = Callable[[int], datetime]


def decide(message: Attempted, outcome: Outcome, *, now: datetime, moment: Moment | None = None) -> Settled:
    """The message's next state in the drawing of docs/architecture.md; `moment` is product time at a unix ms."""
    if isinstance(outcome, Sent):  # nearly all of them
        at = moment(outcome.at_ms) if moment and outcome.at_ms else now
        return Settled(
            message.email_id, message.contact_id, message.campaign_id, message.enrollment_id, message.step,
            message.variant, "sent", at, at, None, outcome.response, None, 1,
        )  # fmt: skip
    return Settled(
        message.email_id, message.contact_id, message.campaign_id, message.enrollment_id, message.step,
        message.variant, **_refusal(message, outcome, now), at=now,
    )  # fmt: skip


def _refusal(message: Attempted, outcome: Outcome, now: datetime) -> dict[str, Any]:
    match outcome:
        case Deferred(response=response):
            return _deferred(message, response, now)
        case Rejected(response=response, dead_address=dead):
            reason = "hard_bounce" if dead else "refused"
            return {"status": "failed", "response": response, "reason": reason, "attempts": 1, "dead_address": dead}
        case InDoubt(response):
            reason = "connection lost after the whole message was handed over"
            return {"status": "in_doubt", "response": response, "reason": reason, "attempts": 1}
        case Untried(response):
            due_at = now + min(BROKEN_PAUSE, back_off(1)) if response else None
            return {"status": "queued", "response": response or None, "due_at": due_at}
        case Paced(wait_s):
            return {"status": "queued", "due_at": now + timedelta(seconds=wait_s * settings.current().clock_rate)}
    raise TypeError(f"{type(outcome).__name__} is no outcome of a send")


def _deferred(message: Attempted, response: str, now: datetime) -> dict[str, Any]:
    """Queued again after the back-off, or failed when that would be past the time for retries (R17)."""
    due_at = now + back_off(message.attempts + 1)
    keep_trying = timedelta(hours=settings.current().retry_for_hours)
    if due_at > message.tried_since + keep_trying:
        return {"status": "failed", "response": response, "reason": "expired", "attempts": 1}
    return {"status": "queued", "response": response, "reason": "deferred", "due_at": due_at, "attempts": 1}


def back_off(attempts: int) -> timedelta:
    """How long to wait after the `attempts`-th try: the plan of the settings, its last entry for ever, ± 20 %."""
    plan = settings.current().retry_minutes
    minutes = plan[min(attempts, len(plan)) - 1]
    return timedelta(minutes=minutes * uniform(0.8, 1.2))  # noqa: S311  # jitter, not a secret
