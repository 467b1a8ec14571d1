"""The sequence goes on: what a settled mail does to its contact's flags and to its enrollment's next step."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.audience import suppressions
from engine.campaigns import enrollments, marks, window
from engine.delivery.groups import Dropped
from engine.delivery.verdicts import Settled
from engine.tracking import events

__all__ = ["Settled", "dropped", "settled"]


def settled(session: Session, mails: Sequence[Settled], *, now: datetime) -> None:
    """Carry settled mails into contacts, enrollments, suppressions and rollups, in the transaction that settles them.

    A mail queued again or in doubt changes nothing yet: the sequence waits for the truth.
    """
    sent = [mail for mail in mails if mail.status == "sent"]
    failed = [mail for mail in mails if mail.status == "failed"]
    marks.lock_contacts(session, {mail.contact_id for mail in (*sent, *failed)})
    if sent:
        _flag(session, sent, now)
    # What already came back about a mail in doubt is what may settle its doubt.
    events.release(session, [mail.email_id for mail in mails if mail.status in ("sent", "in_doubt")])
    _next_step(session, [mail for mail in (*sent, *failed) if mail.enrollment_id and not mail.dead_address])
    _bury(session, [mail for mail in failed if mail.dead_address], now)
    _count(session, (*sent, *failed))


def dropped(session: Session, mails: Sequence[Dropped], *, now: datetime) -> None:
    """Stop the enrollments of contacts whose mails were cancelled at the claim: nothing of theirs waits any more."""
    marks.lock_contacts(session, {mail.contact_id for mail in mails})
    for reason in {mail.reason for mail in mails}:
        contact_ids = [mail.contact_id for mail in mails if mail.reason == reason]
        enrollments.stop(session, contact_ids, enrollments.STOPPED_BY.get(reason, reason), now=now)


_FLAG = text("""
UPDATE contacts c
SET email_1_sent = c.email_1_sent OR v.one, email_2_sent = c.email_2_sent OR v.two,
    email_3_sent = c.email_3_sent OR v.three, updated_at = :now,
    email_followup_status = CASE
        WHEN c.email_followup_status = 'new' THEN v.status
        WHEN c.email_followup_status LIKE 'email\\__\\_sent' THEN greatest(c.email_followup_status, v.status)
        ELSE c.email_followup_status END
FROM (SELECT contact_id, bool_or(step = 1) AS one, bool_or(step = 2) AS two, bool_or(step = 3) AS three,
             'email_' || max(step) || '_sent' AS status
      FROM unnest(CAST(:contacts AS uuid[]), CAST(:steps AS int[])) AS sent(contact_id, step)
      GROUP BY contact_id) AS v
WHERE c.id = v.contact_id
""")


def _flag(session: Session, sent: Sequence[Settled], now: datetime) -> None:
    stepped = [mail for mail in sent if mail.step is not None]
    if stepped:
        values = {"contacts": [mail.contact_id for mail in stepped], "steps": [mail.step for mail in stepped]}
        session.execute(_FLAG, {**values, "now": now})


# `IS TRUE` keeps the planner from walking the index of running enrollments, which by its statistics is short and in
# mid-campaign is not (measured: 175 ms instead of 7 ms for a group of 250).
_ADVANCE = text("""
UPDATE enrollments e
SET state = CASE WHEN v.next_at IS NULL THEN 'finished' ELSE 'active' END,
    next_step = v.step + 1, next_at = v.next_at
FROM unnest(CAST(:ids AS uuid[]), CAST(:steps AS int[]), CAST(:next AS timestamptz[])) AS v(id, step, next_at)
WHERE e.id = v.id AND (e.state = 'waiting' AND e.next_step = v.step) IS TRUE
""")


def _next_step(session: Session, mails: Sequence[Settled]) -> None:
    """Set each enrollment's next step from the moment its mail was really sent, or finish it (R13).

    A mail that failed for another reason than a dead address is not the contact's doing: the sequence goes on.
    """
    if not mails:
        return
    plans = _plans(session, {mail.campaign_id for mail in mails if mail.campaign_id})
    values = {
        "ids": [mail.enrollment_id for mail in mails],
        "steps": [mail.step for mail in mails],
        "next": [_next_at(mail, plans) for mail in mails],
    }
    session.execute(_ADVANCE, values)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How long after the step before a step comes, and when it may go out."""

    delay: timedelta
    window: window.Window
    zone: str


def _plans(session: Session, campaign_ids: Iterable[UUID]) -> Mapping[tuple[UUID, int], _Plan]:
    query = text(
        "SELECT s.campaign_id, s.step, s.delay_s, s.window_start_min, s.window_end_min, s.weekdays, c.timezone "
        "FROM campaign_steps s JOIN campaigns c ON c.id = s.campaign_id WHERE c.id = ANY(:ids)"
    )
    return {
        (row.campaign_id, row.step): _Plan(
            timedelta(seconds=row.delay_s),
            window.Window(row.window_start_min, row.window_end_min, frozenset(row.weekdays)),
            row.timezone,
        )
        for row in session.execute(query, {"ids": list(campaign_ids)})
    }


def _next_at(mail: Settled, plans: Mapping[tuple[UUID, int], _Plan]) -> datetime | None:
    if mail.campaign_id is None or mail.step is None:
        return None
    plan = plans.get((mail.campaign_id, mail.step + 1))
    return window.next_open(mail.at + plan.delay, plan.window, plan.zone) if plan else None


_BURY = text(
    "UPDATE contacts SET email_followup_status = 'bounced', score = 0, updated_at = :now "
    "WHERE id = ANY(:ids) AND email_followup_status NOT IN ('converted', 'complained')"
)


def _bury(session: Session, dead: Sequence[Settled], now: datetime) -> None:
    """Nobody lives at these addresses: suppress them and stop every sequence to them."""
    if not dead:
        return
    contact_ids = [mail.contact_id for mail in dead]
    suppressions.add(session, contact_ids, "hard_bounce", now=now)
    enrollments.stop(session, contact_ids, "bounced", now=now)
    session.execute(_BURY, {"ids": contact_ids, "now": now})


def _count(session: Session, mails: Sequence[Settled]) -> None:
    counts: dict[rollups.Key, Counter[str]] = {}
    for mail in mails:
        hour = mail.at.replace(minute=0, second=0, microsecond=0)
        key = rollups.Key(mail.campaign_id, mail.step, mail.variant, hour)
        counts.setdefault(key, Counter())[mail.status] += 1
        counts[key]["bounced"] += mail.dead_address
    rollups.add(session, counts)
