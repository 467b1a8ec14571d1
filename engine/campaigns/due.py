"""Due work: turns enrollments whose step has come into queued e-mails, exactly one each."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.campaigns import enrollments, steps
from models import ids

# As many mails wait for the senders as they need for a few seconds. What is not queued yet is quick to pause, and
# sees what its contact did in the meantime.
QUEUED_AHEAD = 20_000

_WAITING_MAILS = text("""
    SELECT count(*) FROM (
        SELECT 1 FROM emails WHERE lane = 'campaign' AND status = 'queued' AND due_at <= :now LIMIT :cap
    ) AS waiting
""")

_POSTPONE = text("""
    WITH closed AS MATERIALIZED (
        SELECT found.id, step.opens_at
          FROM unnest(CAST(:campaigns AS uuid[]), CAST(:steps AS smallint[]), CAST(:opens AS timestamptz[]))
               AS step (campaign_id, number, opens_at)
         CROSS JOIN LATERAL (
            SELECT id FROM enrollments
             WHERE campaign_id = step.campaign_id AND next_step = step.number AND state = 'active' AND next_at <= :now
             ORDER BY next_at, id LIMIT :share FOR UPDATE SKIP LOCKED
         ) AS found
    )
    UPDATE enrollments SET next_at = closed.opens_at FROM closed WHERE enrollments.id = closed.id
""")

# One range scan of ix_enrollments_running for each open step. What the contact did is looked at once more here: it may
# have happened while the contact was being enrolled. A mail that is there already is the step's one mail.
_QUEUE = text(f"""
    WITH due AS MATERIALIZED (
        SELECT found.id, found.contact_id, step.campaign_id, step.number, step.template, step.subject
          FROM unnest(CAST(:campaigns AS uuid[]), CAST(:steps AS smallint[]), CAST(:templates AS text[]),
                      CAST(:subjects AS text[])) AS step (campaign_id, number, template, subject)
         CROSS JOIN LATERAL (
            SELECT id, contact_id FROM enrollments
             WHERE campaign_id = step.campaign_id AND next_step = step.number AND state = 'active' AND next_at <= :now
             ORDER BY next_at, id LIMIT :share FOR UPDATE SKIP LOCKED
         ) AS found
    ), judged AS MATERIALIZED (
        SELECT {ids.NEW_SQL} AS email_id, due.*,
               CASE WHEN contacts.converted THEN 'converted'
                    ELSE CAST(:stopped_by AS jsonb) ->> suppressions.reason END AS obstacle
          FROM due JOIN contacts ON contacts.id = due.contact_id LEFT JOIN suppressions USING (email_index)
    ), added AS (
        INSERT INTO emails (id, contact_id, template, subject, lane, campaign_id, enrollment_id, step, message_id,
                            accepted_at, due_at)
        SELECT email_id, contact_id, template, subject, 'campaign', campaign_id, id, number,
               replace(CAST(email_id AS text), '-', '') || '@' || :domain, :now, :now
          FROM judged WHERE obstacle IS NULL
        ON CONFLICT (enrollment_id, step) DO NOTHING
        RETURNING 1
    ), moved AS (
        UPDATE enrollments
           SET state = CASE WHEN obstacle IS NULL THEN 'waiting' ELSE 'stopped' END, next_at = NULL,
               stop_reason = obstacle, stopped_at = CASE WHEN obstacle IS NOT NULL THEN CAST(:now AS timestamptz) END
          FROM judged WHERE enrollments.id = judged.id
    )
    SELECT count(*) FROM added
""")  # noqa: S608  # a constant expression, the same as the column's default


def queue_due(session: Session, *, now: datetime, limit: int = 5_000) -> int:
    """Queue the mails of up to `limit` due enrollments of running campaigns; how many were queued.

    The enrollments become `waiting`; those whose step may not go out at `now` move to its next opening; those whose
    contact converted or was suppressed stop. The limit is shared evenly between the steps that are open. At most
    about `QUEUED_AHEAD` mails wait at a time, so 0 means "nothing due" or "enough for now". Safe to run twice at
    once: enrollments that another call has locked are stepped over.
    """
    plan = steps.running(session)
    openings = {step: step.opens(now) for step in plan}
    _postpone(session, {step: at for step, at in openings.items() if at > now}, now=now, limit=limit)
    room = min(limit, QUEUED_AHEAD - _waiting_mails(session, now))
    return _queue(session, [step for step in plan if openings[step] == now], now=now, limit=room)


def _waiting_mails(session: Session, now: datetime) -> int:
    return int(session.scalar(_WAITING_MAILS, {"now": now, "cap": QUEUED_AHEAD}) or 0)


def _postpone(session: Session, closed: dict[steps.Step, datetime], *, now: datetime, limit: int) -> None:
    if closed:
        values = {**_keys(list(closed)), "opens": list(closed.values())}
        session.execute(_POSTPONE, {**values, "now": now, "share": _share(limit, len(closed))})


def _queue(session: Session, open_steps: Sequence[steps.Step], *, now: datetime, limit: int) -> int:
    if not open_steps or limit <= 0:
        return 0
    values = {
        **_keys(open_steps),
        "templates": [step.template for step in open_steps],
        "subjects": [step.subject for step in open_steps],
        "stopped_by": json.dumps(enrollments.STOPPED_BY),
        "domain": settings.current().message_domain,
    }
    return int(session.scalar(_QUEUE, {**values, "now": now, "share": _share(limit, len(open_steps))}) or 0)


def _keys(of: Sequence[steps.Step]) -> dict[str, list[object]]:
    return {"campaigns": [step.campaign_id for step in of], "steps": [step.step for step in of]}


def _share(limit: int, among: int) -> int:
    return max(1, limit // among)
