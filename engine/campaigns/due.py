"""Claims of due steps, straight from the enrollments: a campaign's e-mail has no row before its first attempt."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

import settings
from engine.campaigns import steps, stops
from engine.campaigns.steps import Step
from engine.delivery import claim
from engine.delivery.claim import Claimant, ClaimedEmail, Group, GroupStep
from engine.messages import variables
from models import arrays, ids, vault

LANE = "campaign"

_BEFORE_ALL = (datetime.min.replace(tzinfo=UTC), UUID(int=0))

# A claim writes no enrollment: the open group that lists them is the claim. So an advisory lock lets one sender at a
# time claim from a step. It lasts until the commit, which follows soon after the claim.
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT id, contact_id, next_at FROM enrollments
     WHERE campaign_id = :campaign AND next_step = :step AND state = 'active' AND next_at <= :now
       AND (next_at, id) > (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))
       AND id NOT IN (SELECT unnest(members) FROM send_groups
                       WHERE state = 'open' AND campaign_id = :campaign AND step = :step)
     ORDER BY next_at, id LIMIT :limit
)
SELECT due.id, due.contact_id, due.next_at, c.email, c.first_name, c.last_name, c.company, c.role, c.industry,
       CASE WHEN c.attributes <> '{}' THEN c.attributes END AS attributes,
       CASE WHEN c.converted THEN 'converted' ELSE CAST(:stopped_by AS jsonb) ->> s.reason END AS obstacle,
       CASE WHEN c.paused_until > :now THEN c.paused_until END AS paused_until
  FROM due JOIN contacts c ON c.id = due.contact_id LEFT JOIN suppressions s ON s.email_index = c.email_index
 WHERE EXISTS (SELECT 1 FROM campaigns WHERE id = :campaign AND state = 'running')
 ORDER BY due.next_at, due.id
""")
_STOP = text("""
UPDATE enrollments e SET state = 'stopped', next_at = NULL, stop_reason = v.reason, stopped_at = :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS v(id, reason)
 WHERE e.id = v.id AND e.state = 'active'
""")
_PAUSE = text("""
UPDATE enrollments e SET next_at = v.paused_until
  FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[])) AS v(id, paused_until)
 WHERE e.id = v.id AND e.state = 'active'
""")
# Claimed enrollments may be moved, too: the settlement sets their time again.
_POSTPONE = text("""
WITH closed AS MATERIALIZED (
    SELECT found.id, step.opens_at
      FROM unnest(CAST(:campaigns AS uuid[]), CAST(:steps AS smallint[]), CAST(:opens AS timestamptz[]))
           AS step (campaign_id, number, opens_at)
     CROSS JOIN LATERAL (
        SELECT id FROM enrollments
         WHERE campaign_id = step.campaign_id AND next_step = step.number AND state = 'active' AND next_at <= :now
         ORDER BY next_at, id LIMIT :limit FOR UPDATE SKIP LOCKED) AS found
)
UPDATE enrollments SET next_at = closed.opens_at FROM closed WHERE enrollments.id = closed.id
""")
_ANY = text("""
SELECT EXISTS (
    SELECT 1 FROM unnest(CAST(:campaigns AS uuid[]), CAST(:steps AS smallint[])) AS step (campaign_id, number)
     CROSS JOIN LATERAL (
        SELECT 1 FROM enrollments
         WHERE campaign_id = step.campaign_id AND next_step = step.number AND state = 'active' AND next_at <= :now
         LIMIT 1) AS found)
""")


class Agenda:
    """The open steps during one drain of a sender, each with the position of its last claim.

    The position saves claims from reading past settled enrollments again. It ends with the agenda: an enrollment that
    becomes due before it waits for the next agenda, a few seconds.
    """

    def __init__(self, plan: Sequence[Step], shared: Mapping[UUID, Mapping[str, Any]]) -> None:
        self._steps = list(plan)
        self._shared = shared
        self._positions: dict[tuple[UUID, int], tuple[datetime, UUID]] = {}

    def claim(self, session: Session, claimant: Claimant, *, limit: int, now: datetime) -> Group | None:
        """Claim up to `limit` enrollments of one step, longest due first; None if nothing is due.

        The steps take turns. Stops contacts that converted or were suppressed (R13), and postpones paused contacts to
        the end of their pause. Waits for another sender's claim of the same step.
        """
        while self._steps:
            step = self._steps.pop(0)
            if step.opens(now) > now:
                continue
            rows = self._look(session, step, limit, now)
            if not rows:
                continue
            self._steps.append(step)
            if (free := _free(session, rows, now)) and (group := self._open(session, claimant, step, free, now)):
                return group
        return None

    def _look(self, session: Session, step: Step, limit: int, now: datetime) -> Sequence[Row[Any]]:
        key = (step.campaign_id, step.step)
        session.execute(_LOCK, {"key": (step.campaign_id.int & ((1 << 63) - 1)) ^ step.step})
        after_at, after_id = self._positions.get(key, _BEFORE_ALL)
        values = {"campaign": step.campaign_id, "step": step.step, "now": now, "limit": limit}
        values |= {"after_at": after_at, "after_id": after_id, "stopped_by": stops.BY_SUPPRESSION_JSON}
        rows = session.execute(_CLAIM, values).all()
        if rows:
            self._positions[key] = (rows[-1].next_at, rows[-1].id)
        return rows

    def _open(self, session: Session, claimant: Claimant, step: Step, rows: Sequence[Row[Any]], now: datetime) -> Group:
        group_id = ids.new()
        emails = _emails(rows, step, self._shared[step.campaign_id], now)
        enrolled = [row.id for row in rows]
        claim.open_group(session, group_id, claimant, enrolled, step=(step.campaign_id, step.step))
        group_step = GroupStep(step.campaign_id, step.step, step.template, step.subject, now)
        return Group(group_id, emails, (), claimant.is_connected, group_step)


def agenda(session: Session) -> Agenda:
    """Return an agenda of the steps of all running campaigns."""
    plan = steps.running(session)
    query = text("SELECT id, variables FROM campaigns WHERE id = ANY(:ids)")
    shared = session.execute(query, {"ids": list({step.campaign_id for step in plan})})
    return Agenda(plan, {row.id: row.variables for row in shared})


def is_waiting(session: Session, *, now: datetime) -> bool:
    """Return True if a step is due and open now, even if a sender has claimed it."""
    plan = [step for step in steps.running(session) if step.opens(now) <= now]
    return bool(plan) and bool(session.scalar(_ANY, {**_keys(plan), "now": now}))


def postpone(session: Session, *, now: datetime, limit: int = 5_000) -> int:
    """Move due enrollments whose send window is closed to its next opening, up to `limit` of each step.

    Returns the number moved. Safe to run twice at once.
    """
    openings = {step: step.opens(now) for step in steps.running(session)}
    closed = {step: at for step, at in openings.items() if at > now}
    if not closed:
        return 0
    values = {**_keys(list(closed)), "opens": arrays.moments(closed.values()), "now": now, "limit": limit}
    return int(session.execute(_POSTPONE, values).rowcount)  # type: ignore[attr-defined]


def _keys(of: Sequence[Step]) -> dict[str, object]:
    return {"campaigns": arrays.uuids(step.campaign_id for step in of), "steps": [step.step for step in of]}


def _free(session: Session, rows: Sequence[Row[Any]], now: datetime) -> Sequence[Row[Any]]:
    """Return the rows without an obstacle or pause; stop or postpone the enrollments of the others."""
    barred = [row for row in rows if row.obstacle is not None or row.paused_until is not None]
    if not barred:
        return rows
    stopped = [row for row in barred if row.obstacle is not None]
    paused = [row for row in barred if row.obstacle is None]
    if stopped:
        reasons = arrays.words(row.obstacle for row in stopped)
        session.execute(_STOP, {"ids": arrays.uuids(row.id for row in stopped), "reasons": reasons, "now": now})
    if paused:
        moments = arrays.moments(row.paused_until for row in paused)
        session.execute(_PAUSE, {"ids": arrays.uuids(row.id for row in paused), "moments": moments})
    return [row for row in rows if row.obstacle is None and row.paused_until is None]


def _emails(rows: Sequence[Row[Any]], step: Step, shared: Mapping[str, Any], now: datetime) -> list[ClaimedEmail]:
    """Return the e-mails of this step; addresses are decrypted together."""
    addresses = vault.current().decrypt_all([row.email for row in rows])
    number, at_domain = step.step, f"@{settings.current().message_domain}"
    emails = []
    for row, to in zip(rows, addresses, strict=True):
        enrollment_id, contact_id, _, _, first, last, company, role, industry, attributes, _, _ = tuple(row)
        email_id = ids.of_step(enrollment_id, number)
        name = f"{first} {last}" if first and last else first or last
        about = variables.of_contact((first, last, company, role, industry), attributes, shared)
        emails.append(ClaimedEmail(
            email_id, f"{email_id.hex}{at_domain}", contact_id, to, name or None, step.template, about, "marketing",
            step.campaign_id, enrollment_id, number, None, 0, now,
        ))  # fmt: skip
    return emails
