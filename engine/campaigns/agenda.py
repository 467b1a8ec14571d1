"""Claims of a lane: queued e-mails and the due steps of campaigns, in turn, the longest due first."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.campaigns import due, steps, stops
from engine.campaigns.decisions import SEND, Decision, Facts, Later, Skip, Stop, decide
from engine.campaigns.due import DueStep
from engine.campaigns.steps import Step
from engine.delivery import emails
from engine.delivery.claim import Claimant, Group, campaigns_of, lock_due, take

CAMPAIGN_LANE = "campaign"

_OLDEST_QUEUED = text("""
SELECT due_at FROM emails WHERE status = 'queued' AND lane = :lane AND due_at <= :now ORDER BY due_at, id LIMIT 1
""")
_QUEUED = None  # the turn of the e-mails that have rows


class Agenda:
    """The turns of one drain of a lane: e-mails that have rows, and each due step. No large one delays the others."""

    def __init__(self, turns: Iterable[DueStep | None]) -> None:
        self._turns = deque(turns)

    def claim(self, session: Session, claimant: Claimant, *, limit: int, now: datetime) -> Group | None:
        """Claim up to `limit` e-mails of the next turn that has some; None if nothing is due in any.

        A step without due enrollments leaves the agenda; queued e-mails stay, because new ones arrive. The group has no
        e-mails if none of those due may be sent now: commit, and ask again.
        """
        for _ in range(len(self._turns)):
            step = self._turns.popleft()
            if step is _QUEUED:
                group = claim_queued(session, claimant, limit=limit, now=now)
            else:
                group = step.claim(session, claimant, limit=limit, now=now)
            if group is not None or step is _QUEUED:
                self._turns.append(step)
            if group is not None:
                return group
        return None

    def rewind(self, group: Group) -> None:
        """Offer again the enrollments of this group that were given back."""
        for step in self._turns:
            if step is not _QUEUED and group.step is not None and step.is_of(group.step):
                step.rewind()


def read(session: Session, lane: str, *, now: datetime) -> Agenda:
    """Return the agenda of a lane; the turn whose oldest e-mail is due for the longest time comes first."""
    if lane != CAMPAIGN_LANE:
        return Agenda([_QUEUED])
    dues = due.due_steps(session, now=now)
    oldest = session.scalar(_OLDEST_QUEUED, {"lane": lane, "now": now})
    earlier = [step for at, step in dues if oldest is None or at < oldest]
    return Agenda([*earlier, _QUEUED, *(step for _, step in dues[len(earlier) :])])


def claim_queued(session: Session, claimant: Claimant, *, limit: int, now: datetime) -> Group | None:
    """Claim up to `limit` due e-mails of the lane that have rows, oldest first; None when nothing is due.

    Cancels e-mails to contacts who may not be mailed any more (R13), also those that a stop skipped because a sender
    had claimed them then. Puts off those that must wait. The group has no e-mails if none may be sent now; then ask
    again.
    """
    rows = lock_due(session, claimant, limit=limit, now=now)
    if not rows:
        return None
    campaigns = campaigns_of(session, rows)
    plan = {(step.campaign_id, step.step): step for step in steps.of_all(session, list(campaigns))}
    decided = [(row, _decision(row, campaigns, plan, now)) for row in rows]
    free = [row for row, decision in decided if decision is SEND]
    if len(free) < len(rows):
        _apply(session, [pair for pair in decided if pair[1] is not SEND], now)
    return take(session, claimant, free, campaigns)


def _decision(
    row: Row[Any], campaigns: Mapping[UUID, Row[Any]], plan: Mapping[tuple[UUID, int], Step], now: datetime
) -> Decision:
    campaign = campaigns.get(row.campaign_id)
    facts = Facts(
        suppression=row.suppression,
        stopped=row.stopped,
        converted=row.converted,
        replied=row.replied,
        paused_until=row.paused_until,
        campaign_state=None if campaign is None else campaign.state,
        is_enrolled=row.enrollment_id is not None,
        kind=row.kind,
    )
    return decide(facts, plan.get((row.campaign_id, row.step)) if campaign is not None else None, now)


def _apply(session: Session, decided: Sequence[tuple[Row[Any], Decision]], now: datetime) -> None:
    """Cancel, put off or park these e-mails, which are locked; stop the enrollments of those that end."""
    cancelled: dict[str, list[UUID]] = defaultdict(list)
    stopped: dict[UUID, str] = {}
    later: list[tuple[UUID, Later]] = []
    parked: list[Row[Any]] = []
    for row, decision in decided:
        match decision:
            case Later(until=emails.PARKED):
                parked.append(row)
            case Later():
                later.append((row.id, decision))
            case Skip(code) | Stop(code):
                cancelled[code].append(row.id)
                if isinstance(decision, Stop):
                    stopped[row.enrollment_id] = code
    for code, email_ids in cancelled.items():
        emails.cancel(session, email_ids, code)
    stops.stop_enrollments(session, stopped, now=now)
    emails.put_off(session, [(email_id, wait.until, wait.code) for email_id, wait in later])
    emails.park(session, [row.id for row in parked], {row.campaign_id for row in parked})
