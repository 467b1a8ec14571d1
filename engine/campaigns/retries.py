"""Retries: e-mails that failed because a server refused them are queued again, each at its step."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.campaigns import enrollments, steps
from engine.delivery import emails
from errors import Conflict, NotFound
from models import Campaign, arrays

_BEFORE_ALL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Retried:
    """The number of e-mails of a page that are queued again, and of those that stay failed, by reason.

    `last` is the e-mail after which the next page begins, None after the last page.
    """

    queued: int
    kept: Mapping[str, int]
    last: UUID | None


# Read before anything is locked: few of many e-mails may have failed.
_CANDIDATES = text("""
    SELECT id FROM emails
     WHERE campaign_id = :campaign_id AND status = 'failed' AND reason = :reason AND id > CAST(:after AS uuid)
     ORDER BY id LIMIT :limit
""")
_FAILED = text("""
    SELECT e.id, e.enrollment_id, e.step, e.variant, CASE
               WHEN n.state = 'stopped' THEN 'stopped'
               WHEN e.bounced_at IS NOT NULL OR e.complained_at IS NOT NULL OR e.opened_at IS NOT NULL
                    OR e.clicked_at IS NOT NULL OR e.machine_opened_at IS NOT NULL OR e.machine_clicked_at IS NOT NULL
                    OR e.converted_at IS NOT NULL OR e.replied_at IS NOT NULL OR e.unsubscribed_at IS NOT NULL
                    THEN 'delivered'
               WHEN n.state = 'waiting' OR n.next_step <> e.step + 1 OR EXISTS (
                    SELECT FROM send_groups g WHERE g.state = 'open' AND g.campaign_id = e.campaign_id
                       AND g.step = n.next_step AND n.id = ANY(g.members)) THEN 'later_step' END AS obstacle
      FROM emails e JOIN enrollments n ON n.id = e.enrollment_id
     WHERE e.id = ANY(CAST(:ids AS uuid[])) AND e.status = 'failed' AND e.reason = :reason
     ORDER BY e.id FOR UPDATE OF e, n
""")
_PUT_BACK = text("""
    UPDATE enrollments SET state = 'waiting', next_step = v.step, next_at = NULL
      FROM unnest(CAST(:ids AS uuid[]), CAST(:steps AS smallint[])) AS v (id, step) WHERE enrollments.id = v.id
""")


def retry(session: Session, campaign_id: UUID, reason: str, *, after: UUID = _BEFORE_ALL, now: datetime) -> Retried:
    """Queue again a page of the campaign's e-mails that failed for `reason`, and put their enrollments back.

    The step is then sent once, and later steps count from that moment. An e-mail stays failed if its enrollment is
    `stopped`, if a `later_step` has been sent or claimed, or if an event shows that it was `delivered`. The claim
    decides who may be mailed. A finished campaign runs again. Safe to repeat. Raises NotFound; Conflict
    if it is cancelled.
    """
    values = {"campaign_id": campaign_id, "reason": reason, "after": after, "limit": enrollments.PAGE}
    candidates = session.scalars(_CANDIDATES, values).all()
    query = select(Campaign.state).where(Campaign.id == campaign_id).with_for_update(key_share=True)
    state = session.scalar(query)
    if state is None:
        raise NotFound("campaign: there is none with this id")
    if state == "cancelled":
        raise Conflict("state: the campaign is cancelled; nothing of it is sent any more")
    for step in steps.of(session, campaign_id):
        steps.lock(session, campaign_id, step.step)
    rows = session.execute(_FAILED, {"ids": arrays.uuids(candidates), "reason": reason}).all()
    again = [row for row in rows if row.obstacle is None]
    if again:
        _put_back(session, campaign_id, again, reason, now)
        if state == "finished":
            session.execute(
                update(Campaign).where(Campaign.id == campaign_id).values(state="running", finished_at=None)
            )
    kept = Counter(row.obstacle for row in rows if row.obstacle is not None)
    return Retried(len(again), kept, candidates[-1] if len(candidates) == enrollments.PAGE else None)


def retry_all(
    run: Callable[[Callable[[Session], Retried]], Retried], campaign_id: UUID, reason: str, *, now: datetime
) -> Retried:
    """Retry page by page, each in a transaction that `run` opens, and return the totals."""
    queued, kept, last = 0, Counter[str](), _BEFORE_ALL
    while True:
        page = run(partial(retry, campaign_id=campaign_id, reason=reason, after=last, now=now))
        queued += page.queued
        kept.update(page.kept)
        if page.last is None:
            return Retried(queued, kept, None)
        last = page.last


def _put_back(session: Session, campaign_id: UUID, rows: Sequence[Row[Any]], reason: str, now: datetime) -> None:
    ids = {"ids": arrays.uuids(row.enrollment_id for row in rows), "steps": [row.step for row in rows]}
    session.execute(_PUT_BACK, ids)
    emails.requeue(session, [row.id for row in rows], f"queued again after it was {reason}", now=now)
    for (step, variant), count in sorted(Counter((row.step, row.variant or "") for row in rows).items()):
        rollups.take_back(session, rollups.Key(campaign_id, step, variant, now), reason, count)
