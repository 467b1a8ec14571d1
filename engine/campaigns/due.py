"""Due steps: which campaigns have one, and their claims. A step's e-mail has no row before its first attempt."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

import settings
from engine.campaigns import steps, stops
from engine.campaigns.decisions import SEND, Decision, Facts, Later, Stop, decide
from engine.campaigns.steps import Step
from engine.delivery import claim
from engine.delivery.claim import Claimant, ClaimedEmail, Group, GroupStep
from engine.messages import variables
from models import arrays, ids, vault

_BEFORE_ALL = (datetime.min.replace(tzinfo=UTC), UUID(int=0))

# A claim writes no enrollment: the open group that lists them is the claim. So a lock lets one sender at a time claim
# from a step. It lasts until the commit, which follows soon after the claim.
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
       s.reason AS suppression, c.converted, c.paused_until,
       (SELECT state FROM campaigns WHERE id = :campaign) AS campaign_state
  FROM due JOIN contacts c ON c.id = due.contact_id LEFT JOIN suppressions s ON s.email_index = c.email_index
 ORDER BY due.next_at, due.id
""")
_FACTS_AT = 10  # the columns from here on are the facts
_PUT_OFF = text("""
UPDATE enrollments e SET next_at = v.next_at
  FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[])) AS v(id, next_at)
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
# ORDER BY selects the index of running enrollments. Without it, a LIMIT alone makes a sequential scan look cheap.
_OLDEST = text("""
SELECT step.campaign_id, step.number, oldest.next_at
  FROM unnest(CAST(:campaigns AS uuid[]), CAST(:steps AS smallint[])) AS step (campaign_id, number)
 CROSS JOIN LATERAL (
    SELECT next_at FROM enrollments
     WHERE campaign_id = step.campaign_id AND next_step = step.number AND state = 'active' AND next_at <= :now
     ORDER BY next_at, id LIMIT 1) AS oldest
 ORDER BY oldest.next_at, step.campaign_id, step.number
""")


class DueStep:
    """A step that is due, with the shared variables of its campaign and the position of the last claim.

    The position saves claims from reading past settled enrollments again. An enrollment that becomes due before it is
    claimed when the step is read anew, a few seconds later.
    """

    def __init__(self, step: Step, shared: Mapping[str, Any]) -> None:
        self.step = step
        self._shared = shared
        self._position = _BEFORE_ALL

    def claim(self, session: Session, claimant: Claimant, *, limit: int, now: datetime) -> Group | None:
        """Claim up to `limit` enrollments, longest due first; None if none is due or the step may not be sent now.

        Stops and puts off enrollments as `decide` says (R13). The group has no e-mails if none may be sent now; commit
        and ask again then, because this holds the lock of the step. Waits for another sender's claim of the same step.
        """
        if self.step.label in claimant.unusable or decide(Facts(), self.step, now) is not SEND:
            return None
        rows = self._look(session, limit, now)
        if not rows or rows[0].campaign_state != "running":
            return None
        decisions = _Decisions(self.step, now)
        decided = [decisions[row[_FACTS_AT:]] for row in rows]
        free = rows
        if decided.count(SEND) < len(rows):
            free = [row for row, decision in zip(rows, decided, strict=True) if decision is SEND]
            _apply(session, zip(rows, decided, strict=True), now)
        return self._open(session, claimant, free, now)

    def is_of(self, step: GroupStep) -> bool:
        """Return True if a group of this step came from here."""
        return (self.step.campaign_id, self.step.step) == (step.campaign_id, step.step)

    def rewind(self) -> None:
        """Read from the start again, because claimed enrollments were given back."""
        self._position = _BEFORE_ALL

    def _look(self, session: Session, limit: int, now: datetime) -> Sequence[Row[Any]]:
        step = self.step
        steps.lock(session, step.campaign_id, step.step)
        after_at, after_id = self._position
        values = {"campaign": step.campaign_id, "step": step.step, "now": now, "limit": limit}
        rows = session.execute(_CLAIM, values | {"after_at": after_at, "after_id": after_id}).all()
        if rows:
            self._position = (rows[-1].next_at, rows[-1].id)
        return rows

    def _open(self, session: Session, claimant: Claimant, rows: Sequence[Row[Any]], now: datetime) -> Group:
        group_id, step = ids.new(), self.step
        if rows:
            enrolled = [row.id for row in rows]
            claim.open_group(session, group_id, claimant, enrolled, step=(step.campaign_id, step.step))
        group_step = GroupStep(step.campaign_id, step.step, step.template, step.template_version, step.subject, now)
        return Group(group_id, _emails(rows, step, self._shared, now), claimant.is_connected, group_step)


def due_steps(session: Session, *, now: datetime) -> list[tuple[datetime, DueStep]]:
    """Return the steps of running campaigns that are due and open now, each with the due time of its oldest enrollment.

    Ordered by that time. A step counts even if a sender has claimed all that is due.
    """
    plan = {(step.campaign_id, step.step): step for step in _open_steps(session, now)}
    if not plan:
        return []
    rows = session.execute(_OLDEST, {**_keys(list(plan.values())), "now": now}).all()
    query = text("SELECT id, variables FROM campaigns WHERE id = ANY(:ids)")
    shared = session.execute(query, {"ids": list({row.campaign_id for row in rows})})
    variables_of = {row.id: row.variables for row in shared}
    return [(row.next_at, DueStep(plan[row.campaign_id, row.number], variables_of[row.campaign_id])) for row in rows]


class Waiting(NamedTuple):
    """True for each kind of due step that there is: open now, and closed now by its window."""

    is_open: bool
    is_closed: bool


def waiting(session: Session, *, now: datetime) -> Waiting:
    """Return the kinds of steps that are due, even if a sender has claimed them."""
    of_running = steps.running(session)
    if not of_running:
        return Waiting(is_open=False, is_closed=False)
    open_now = {(step.campaign_id, step.step) for step in of_running if decide(Facts(), step, now) is SEND}
    rows = session.execute(_OLDEST, {**_keys(of_running), "now": now}).all()
    are_open = {(row.campaign_id, row.number) in open_now for row in rows}
    return Waiting(is_open=True in are_open, is_closed=False in are_open)


def postpone(session: Session, *, now: datetime, limit: int = 5_000) -> int:
    """Move due enrollments whose send window is closed to its next opening, up to `limit` of each step.

    Returns the number moved. Safe to run twice at once.
    """
    decided = {step: decide(Facts(), step, now) for step in steps.running(session)}
    closed = {step: decision.until for step, decision in decided.items() if isinstance(decision, Later)}
    if not closed:
        return 0
    values = {**_keys(list(closed)), "opens": arrays.moments(closed.values()), "now": now, "limit": limit}
    return int(session.execute(_POSTPONE, values).rowcount)  # type: ignore[attr-defined]


def _open_steps(session: Session, now: datetime) -> list[Step]:
    return [step for step in steps.running(session) if decide(Facts(), step, now) is SEND]


def _keys(of: Sequence[Step]) -> dict[str, object]:
    return {"campaigns": arrays.uuids(step.campaign_id for step in of), "steps": [step.step for step in of]}


class _Decisions(dict[tuple[Any, ...], Decision]):
    """Cache of the decisions on a step at one moment, by the facts of a row; most rows share them."""

    def __init__(self, step: Step, now: datetime) -> None:
        self._step, self._now = step, now

    def __missing__(self, columns: tuple[Any, ...]) -> Decision:
        suppression, converted, paused_until, campaign_state = columns
        facts = Facts(suppression, None, converted, paused_until=paused_until, campaign_state=campaign_state)
        self[columns] = decision = decide(facts, self._step, self._now)
        return decision


def _apply(session: Session, decided: "zip[tuple[Row[Any], Decision]]", now: datetime) -> None:
    """Stop or put off enrollments as decided."""
    stopped: dict[UUID, str] = {}
    later: dict[UUID, datetime] = {}
    for row, decision in decided:
        if isinstance(decision, Stop):
            stopped[row.id] = decision.code
        elif isinstance(decision, Later):
            later[row.id] = decision.until
    stops.stop_enrollments(session, stopped, now=now)
    if later:
        session.execute(_PUT_OFF, {"ids": arrays.uuids(later), "moments": arrays.moments(later.values())})


def _emails(rows: Sequence[Row[Any]], step: Step, shared: Mapping[str, Any], now: datetime) -> list[ClaimedEmail]:
    """Return the e-mails of this step; addresses are decrypted together."""
    addresses = vault.current().decrypt_all([row.email for row in rows])
    number, at_domain = step.step, f"@{settings.current().message_domain}"
    emails = []
    for row, to in zip(rows, addresses, strict=True):
        enrollment_id, contact_id, _, _, first, last, company, role, industry, attributes = row[:_FACTS_AT]
        email_id = ids.of_step(enrollment_id, number)
        name = f"{first} {last}" if first and last else first or last
        about = variables.of_contact((first, last, company, role, industry), attributes, shared)
        emails.append(ClaimedEmail(
            email_id, f"{email_id.hex}{at_domain}", contact_id, to or "", name or None, step.template,
            step.template_version, about, "marketing", step.campaign_id, enrollment_id, number, None, 0, now,
        ))  # fmt: skip
    return emails
