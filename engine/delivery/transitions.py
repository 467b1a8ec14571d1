"""Map the outcome of a send attempt to the e-mail's next state. Pure: no statements, no clock."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import uniform
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import settings
from engine.delivery.outcomes import Deferred, InDoubt, Outcome, Paced, Rejected, Sent, Untried
from models.email import MARKETING, TEST

# The pause of an e-mail whose connection broke before the server decided, so that an e-mail which breaks connections is
# not tried in a loop. The first back-off is used instead if it is shorter.
DEFERRED = "deferred"  # the reason of an e-mail after a temporary refusal
UNTRIED = "untried"  # the reason of an e-mail that was returned to the queue; its response says why
BROKEN_PAUSE = timedelta(minutes=1)


class Attempted(Protocol):
    """The fields of an e-mail that a transition depends on: an e-mail in a group, or one that a dead sender left."""

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
    def kind(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def tried_since(self) -> datetime:
        """Return the start of its time for retries: its acceptance, or the end of its contact's or campaign's pause."""
        ...


class Settled(NamedTuple):
    """The next state of an e-mail; `attempts` is how many attempts to add.

    An e-mail of a campaign's step that was given back untried has no row (`has_row`): its step is due again. The
    `dead_address` of a test is False, because a test changes no contact.
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
    kind: str = MARKETING


Moment = Callable[[int], datetime]


def decide(email: Attempted, outcome: Outcome, *, now: datetime, moment: Moment | None = None) -> Settled:
    """Return the e-mail's next state (drawn in docs/architecture.md); `moment` returns product time for a unix ms."""
    if isinstance(outcome, Sent):  # first, because nearly all are
        at = moment(outcome.at_ms) if moment and outcome.at_ms else now
        return Settled(
            email.email_id, email.contact_id, email.campaign_id, email.enrollment_id, email.step,
            email.variant, "sent", at, at, None, outcome.response, None, 1, False, True, email.kind,
        )  # fmt: skip
    return Settled(
        email.email_id, email.contact_id, email.campaign_id, email.enrollment_id, email.step,
        email.variant, **_refusal(email, outcome, now), at=now, kind=email.kind,
    )  # fmt: skip


def _refusal(email: Attempted, outcome: Outcome, now: datetime) -> dict[str, Any]:
    match outcome:
        case Deferred(response=response):
            return _deferred(email, response, now)
        case Rejected(response=response, dead_address=dead):
            reason = "hard_bounce" if dead else outcome.reason
            refused = {"status": "failed", "response": response, "reason": reason, "attempts": 1}
            return refused | {"dead_address": dead and email.kind != TEST}
        case InDoubt(response):
            reason = "connection lost after the whole message was handed over"
            return {"status": "in_doubt", "response": response, "reason": reason, "attempts": 1}
        case Untried(response, why):
            due_at = now + min(BROKEN_PAUSE, back_off(1)) if response else None
            words = response or why
            return {
                "status": "queued",
                "response": words or None,
                "reason": UNTRIED if words else None,
                "due_at": due_at,
            }
        case Paced(wait_s):
            return {"status": "queued", "due_at": now + timedelta(seconds=wait_s * settings.current().clock_rate)}
    raise TypeError(f"{type(outcome).__name__} is no outcome of a send")


def _deferred(email: Attempted, response: str, now: datetime) -> dict[str, Any]:
    """Return the queued state after the back-off, or the failed state if the time for retries ends before (R17)."""
    due_at = now + back_off(email.attempts + 1)
    keep_trying = timedelta(hours=settings.current().retry_for_hours)
    if due_at > email.tried_since + keep_trying:
        return {"status": "failed", "response": response, "reason": "expired", "attempts": 1}
    return {"status": "queued", "response": response, "reason": DEFERRED, "due_at": due_at, "attempts": 1}


def back_off(attempts: int) -> timedelta:
    """Return the wait after this many attempts, ± 20 %; the last entry of `retry_minutes` applies to all later ones."""
    plan = settings.current().retry_minutes
    minutes = plan[min(attempts, len(plan)) - 1]
    return timedelta(minutes=minutes * uniform(0.8, 1.2))  # noqa: S311  # jitter, not a secret
