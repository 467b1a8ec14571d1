"""Campaigns: launch, pause, resume, cancel, and finish when no enrollment is running. `drafting` creates them.

draft ─launch─▶ running ◀─pause / resume─▶ paused;  running ─finish─▶ finished ─enroll─▶ running
draft, running, paused ─cancel─▶ cancelled
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from engine.audience import segments
from engine.campaigns import enrollments, steps, stops
from engine.campaigns.enrollments import Enrolled
from engine.delivery import emails
from errors import Conflict, NotFound, unknown
from models import Campaign, together
from models.together import Query

OPENED_FOR = timedelta(days=1)  # for which step 1 ignores its window after a start "now", retries included
_BEFORE_ALL = UUID(int=0)
NOT_THERE = "campaign: there is none with this id"


@dataclass(frozen=True, slots=True)
class View:
    """A stored campaign.

    `reason` says why it is paused or was cancelled. While `enrolling`, part of its audience is not enrolled yet; while
    `stopping`, part of a cancelled one is not stopped yet. An edit of a draft must name its `version`.
    """

    id: UUID
    name: str
    state: str
    reason: str | None
    timezone: str
    audience: Mapping[str, Any]
    variables: Mapping[str, Any]
    created_at: datetime
    launched_at: datetime | None
    finished_at: datetime | None
    version: int
    enrolling: bool
    stopping: bool


_COLUMNS = tuple(View.__dataclass_fields__)
_WORKS = {"enrolling": "enroll_from IS NOT NULL AS enrolling", "stopping": "stop_after IS NOT NULL AS stopping"}
_VIEWS = f"SELECT {', '.join(_WORKS.get(name, name) for name in _COLUMNS)} FROM campaigns"  # noqa: S608  # constants


def view(session: Session, campaign_id: UUID) -> View:
    """Return one campaign; raises NotFound."""
    return together.one(session, query(campaign_id))


def query(campaign_id: UUID) -> Query[View]:
    """Return the query of `view`."""
    return Query(f"{_VIEWS} WHERE id = :id", _COLUMNS, _only, {"id": campaign_id})


def find(session: Session, name: str) -> UUID:
    """Return the id of the campaign with that name; raises NotFound with the nearest name."""
    campaign_id = session.scalar(select(Campaign.id).where(Campaign.name == name))
    if campaign_id is None:
        names = session.scalars(select(Campaign.name).order_by(Campaign.created_at.desc()).limit(100))
        raise NotFound(f"campaign: {unknown(name, names)}")
    return campaign_id


def names(session: Session, campaign_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of these campaigns."""
    query = select(Campaign.id, Campaign.name).where(Campaign.id.in_(list(campaign_ids)))
    return {row.id: row.name for row in session.execute(query)}


def latest(session: Session, *, limit: int = 100) -> list[View]:
    """Return the newest campaigns, newest first."""
    return together.one(session, latest_query(limit=limit))


def latest_query(*, limit: int) -> Query[list[View]]:
    """Return the query of `latest`."""
    return Query(f"{_VIEWS} ORDER BY created_at DESC LIMIT :limit", _COLUMNS, _views, {"limit": limit})


def launch(
    session: Session, campaign_id: UUID, *, now: datetime, starts_now: bool = False, skips_received: bool = False
) -> Enrolled:
    """Launch a draft: enroll its audience unless its contacts were chosen by hand, and make step 1 due.

    Contacts who signed up by a form before stay enrolled. Its steps use the versions of their templates that are
    published now, whatever is published later. If it `starts_now`, step 1 waits for neither its delay nor its window,
    for a day. If it `skips_received`, contacts who got one of its templates before are stopped.

    Works on the first page of contacts; `enrollments.proceed` does the others. Raises NotFound; Conflict if the
    campaign is not a draft, or if its audience is empty and no open form enrolls people in it. The second of two
    concurrent launches raises Conflict.
    """
    lock(session, campaign_id, "draft", to="launched")
    steps.pin(session, campaign_id)
    session.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id)
        .values(
            state="running",
            launched_at=now,
            reason=None,
            skips_received=skips_received,
            opened_until=now + OPENED_FOR if starts_now else None,
        )
    )
    if enrollments.are_chosen(session, campaign_id):
        return enrollments.schedule(session, campaign_id, now=now)
    enrolled = enrollments.enroll(session, campaign_id, now=now)
    is_empty = enrolled.is_complete and not enrollments.any_of(session, campaign_id)
    if is_empty and not enrollments.forms(session, campaign_id):
        audience = session.scalar(select(Campaign.audience).where(Campaign.id == campaign_id)) or {}
        segment = segments.read(audience)
        if segment.only_sign_ups:
            raise Conflict("audience: only those who sign up, and no open form enrolls them; choose it in a form first")
        empty = "audience: it has no contact; import contacts or widen the conditions, then launch again"
        raise Conflict("; ".join([empty, *segments.unmatched(session, segment)]))
    return enrolled


def start_now(session: Session, campaign_id: UUID, *, now: datetime) -> None:
    """Let step 1 of a running campaign go out at any hour for a day. Commit, then call `enrollments.hasten`.

    Raises NotFound; Conflict if it is not running.
    """
    lock(session, campaign_id, "running", to="started now")
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(opened_until=now + OPENED_FOR))


def pause(session: Session, campaign_id: UUID, reason: str | None, *, now: datetime) -> None:  # noqa: ARG001  # as in `resume`
    """Pause a running campaign: nothing of it is claimed any more; what a sender has claimed still goes out.

    Raises NotFound; Conflict if it is not running.
    """
    lock(session, campaign_id, "running", to="paused")
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(state="paused", reason=reason))


_PARDON = text("""
UPDATE campaigns c
   SET pardoned_at = :now,
       pardoned = (SELECT jsonb_build_object('sent', coalesce(sum(sent), 0), 'failed', coalesce(sum(failed), 0),
                                             'bounced', coalesce(sum(bounced), 0), 'refused', coalesce(sum(refused), 0))
                     FROM email_stats
                    WHERE campaign_id = c.id AND hour >= date_trunc('hour', CAST(:now AS timestamptz), 'UTC'))
 WHERE c.id = :campaign_id
""")


def resume(session: Session, campaign_id: UUID, *, now: datetime) -> None:
    """Resume a paused campaign; earlier losses no longer count for `auto_pause`.

    The first page of its parked e-mails is due now; `unpark` does the others. Raises NotFound; Conflict if the campaign
    is not paused.
    """
    lock(session, campaign_id, "paused", to="resumed")
    running = update(Campaign).where(Campaign.id == campaign_id)
    session.execute(running.values(state="running", reason=None, unpark_after=_BEFORE_ALL))
    session.execute(_PARDON, {"campaign_id": campaign_id, "now": now})
    _unpark_page(session, campaign_id, _BEFORE_ALL, now)


_TO_UNPARK = text("""
    SELECT id, unpark_after FROM campaigns WHERE state = 'running' AND unpark_after IS NOT NULL ORDER BY id LIMIT 1
""")
_UNPARKED = text("""
    UPDATE campaigns SET unpark_after = :last WHERE id = :id AND unpark_after = :after AND state = 'running'
""")


def unpark(session: Session, *, now: datetime) -> bool:
    """Make the next page of a resumed campaign's parked e-mails due; return True if more may be left.

    Safe to run twice at once.
    """
    campaign = session.execute(_TO_UNPARK).first()
    if campaign is None:
        return False
    _unpark_page(session, campaign.id, campaign.unpark_after, now)
    return True


def _unpark_page(session: Session, campaign_id: UUID, after: UUID, now: datetime) -> None:
    last = emails.unpark(session, campaign_id, after, now=now, limit=enrollments.PAGE)
    session.execute(_UNPARKED, {"id": campaign_id, "after": after, "last": last})


def cancel(session: Session, campaign_id: UUID, reason: str | None = None) -> None:
    """Cancel a draft, running or paused campaign for good: nothing of it is claimed any more, and it never runs again.

    What a sender has claimed still goes out. `proceed_cancelling` then stops its enrollments: here, the campaign's lock
    would come before theirs. Raises NotFound; Conflict if the campaign is finished or cancelled.
    """
    lock(session, campaign_id, "draft", "running", "paused", to="cancelled")
    ended = {"enroll_from": None, "enroll_after": None, "unpark_after": None}
    begun = {"state": "cancelled", "reason": reason, "stop_after": _BEFORE_ALL}
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(**ended, **begun))


_TO_STOP = text("SELECT id, stop_after FROM campaigns WHERE stop_after IS NOT NULL ORDER BY id LIMIT 1")
_STOPPED = text("""
    UPDATE campaigns
       SET stop_after = :last, finished_at = CASE WHEN CAST(:last AS uuid) IS NULL THEN CAST(:now AS timestamptz) END
     WHERE id = :id AND stop_after = :after
""")


def proceed_cancelling(session: Session, *, now: datetime) -> bool:
    """Stop the next page of enrollments of a cancelled campaign; return True if more may be left.

    Safe to run twice at once.
    """
    campaign = session.execute(_TO_STOP).first()
    if campaign is None:
        return False
    last = stops.stop_campaign(session, campaign.id, campaign.stop_after, now=now, limit=enrollments.PAGE)
    session.execute(_STOPPED, {"id": campaign.id, "after": campaign.stop_after, "last": last, "now": now})
    return True


_MAY_BE_FINISHED = """
     WHERE state = 'running' AND enroll_from IS NULL
       AND NOT EXISTS (SELECT FROM enrollments WHERE campaign_id = campaigns.id AND state IN ('active', 'waiting'))
       AND NOT EXISTS (SELECT FROM forms
                        WHERE definition ->> 'campaign_id' = CAST(campaigns.id AS text) AND state = 'active')
"""
_WORK = text(f"""
    SELECT coalesce(bool_or(enroll_from IS NOT NULL OR stop_after IS NOT NULL
                            OR (unpark_after IS NOT NULL AND state = 'running')), false) AS has_pages,
           coalesce(bool_or(state = 'running'), false) AS is_running,
           EXISTS (SELECT FROM campaigns {_MAY_BE_FINISHED}) AS may_finish
      FROM campaigns WHERE state = 'running' OR enroll_from IS NOT NULL OR stop_after IS NOT NULL
""")  # noqa: S608  # constants
_LOCK_DONE = text(f"SELECT id FROM campaigns {_MAY_BE_FINISHED} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED")  # noqa: S608  # constants
_FINISH = text(f"""
    UPDATE campaigns SET state = 'finished', finished_at = :now {_MAY_BE_FINISHED} AND id = ANY(CAST(:ids AS uuid[]))
    RETURNING id
""")  # noqa: S608  # constants


class Work(NamedTuple):
    """The work of a tick: long work that goes page by page, a running campaign, one that may be finished."""

    has_pages: bool
    is_running: bool
    may_finish: bool


def work(session: Session) -> Work:
    """Return the work that there is now, by one statement, so that a tick without work costs no other."""
    return Work(*session.execute(_WORK).one())


def finish(session: Session, *, now: datetime) -> list[UUID]:
    """Finish every running campaign without active or waiting enrollments; return their ids. Safe to repeat.

    One that an open form feeds stays running.

    A statement that waited for an enrolling transaction would still not see its enrollments. So the first statement
    locks the campaigns, except those that others have locked, and the second looks again.
    """
    locked = list(session.scalars(_LOCK_DONE))
    return list(session.scalars(_FINISH, {"now": now, "ids": locked})) if locked else []


def lock(session: Session, campaign_id: UUID, *states: str, to: str) -> None:
    """Lock the campaign until the transaction ends; raises Conflict unless it is in one of `states`."""
    current = session.scalar(select(Campaign.state).where(Campaign.id == campaign_id).with_for_update(key_share=True))
    if current is None:
        raise NotFound(NOT_THERE)
    if current not in states:
        raise Conflict(f"state: the campaign is {current}; only a {' or '.join(states)} one can be {to}")


def _views(rows: Sequence[Any]) -> list[View]:
    return [View(*row) for row in rows]


def _only(rows: Sequence[Any]) -> View:
    if not rows:
        raise NotFound(NOT_THERE)
    return View(*rows[0])
