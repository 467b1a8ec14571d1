"""Campaigns: create, launch, pause, resume, and finish when no enrollment is running.

draft ─launch─▶ running ◀─pause / resume─▶ paused;  running ─finish─▶ finished ─enroll─▶ running
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.audience import segments, zones
from engine.campaigns import enrollments, steps
from engine.campaigns.enrollments import Enrolled
from engine.delivery import emails
from engine.templates import templates
from errors import Conflict, Fault, InvalidInput, NotFound, unknown
from models import Campaign, ids

OPENED_FOR = timedelta(days=1)  # for which step 1 ignores its window after a start "now", retries included
_MAX_NAME = 100
_BEFORE_ALL = UUID(int=0)
_NOT_THERE = "campaign: there is none with this id"


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """A campaign to create; an empty audience means every contact (see `segments.read`)."""

    name: str
    steps: Sequence[steps.StepDraft]
    timezone: str = "UTC"
    audience: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """A stored campaign; `reason` says why it is paused, `enrolling` that part of its audience is not enrolled yet."""

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
    enrolling: bool


def create(session: Session, draft: CampaignDraft, *, library: templates.Library, now: datetime) -> UUID:
    """Store a campaign as a draft and return its id.

    Raises InvalidInput with all faults, among them template variables that nothing provides; Conflict if another
    campaign has the name.
    """
    faults = [*_faults(draft), *steps.faults(draft.steps)]
    faults += steps.template_faults(session, draft.steps, draft.variables, library)
    if faults:
        raise InvalidInput(faults)
    values = {"id": ids.new(), "name": draft.name, "timezone": draft.timezone, "created_at": now}
    values |= {"audience": dict(draft.audience), "variables": dict(draft.variables)}
    adding = insert(Campaign).values(values).on_conflict_do_nothing(index_elements=["name"])
    campaign_id: UUID | None = session.scalar(adding.returning(Campaign.id))
    if campaign_id is None:
        raise Conflict("name: another campaign has this name; choose another")
    steps.add(session, campaign_id, draft.steps, library)
    return campaign_id


def _faults(draft: CampaignDraft) -> Iterator[Fault]:
    if not 0 < len(draft.name.strip()) <= _MAX_NAME or not draft.name.isprintable():
        yield Fault("name", f"give 1 to {_MAX_NAME} printable characters")
    if not zones.exists(draft.timezone):
        yield Fault("timezone", zones.fault(draft.timezone))
    try:
        segments.read(draft.audience)
    except InvalidInput as refused:
        yield from refused.faults


def view(session: Session, campaign_id: UUID) -> View:
    """Return one campaign; raises NotFound."""
    row = session.execute(_views().where(Campaign.id == campaign_id)).one_or_none()
    if row is None:
        raise NotFound(_NOT_THERE)
    return _view(row)


def find(session: Session, name: str) -> UUID:
    """Return the id of the campaign with that name; raises NotFound with the nearest name."""
    campaign_id = session.scalar(select(Campaign.id).where(Campaign.name == name))
    if campaign_id is None:
        names = session.scalars(select(Campaign.name).order_by(Campaign.created_at.desc()).limit(100))
        raise NotFound(f"campaign: {unknown(name, names)}")
    return campaign_id


def latest(session: Session, *, limit: int = 100) -> list[View]:
    """Return the newest campaigns, newest first."""
    return [_view(row) for row in session.execute(_views().order_by(Campaign.created_at.desc()).limit(limit))]


def launch(
    session: Session, campaign_id: UUID, *, now: datetime, starts_now: bool = False, skips_received: bool = False
) -> Enrolled:
    """Launch a draft: enroll its audience unless contacts are enrolled already, and make step 1 due.

    If it `starts_now`, step 1 waits for neither its delay nor its window, for a day. If it `skips_received`, contacts
    who got one of its templates before are stopped.

    Works on the first page of contacts; `enrollments.proceed` does the others. Raises NotFound; Conflict if the
    campaign is not a draft or its audience is empty. Of two launches at once, the second raises Conflict.
    """
    _lock(session, campaign_id, "draft", to="launched")
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
    if enrollments.any_of(session, campaign_id):
        return enrollments.schedule(session, campaign_id, now=now)
    enrolled = enrollments.enroll(session, campaign_id, now=now)
    if not enrolled.total and enrolled.is_complete:
        audience = session.scalar(select(Campaign.audience).where(Campaign.id == campaign_id)) or {}
        empty = "audience: it has no contact; import contacts or widen the conditions, then launch again"
        raise Conflict("; ".join([empty, *segments.unmatched(session, segments.read(audience))]))
    return enrolled


def start_now(session: Session, campaign_id: UUID, *, now: datetime) -> None:
    """Let step 1 of a running campaign go out at any hour for a day. Commit, then call `enrollments.hasten`.

    Raises NotFound; Conflict if it is not running.
    """
    _lock(session, campaign_id, "running", to="started now")
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(opened_until=now + OPENED_FOR))


def pause(session: Session, campaign_id: UUID, reason: str, *, now: datetime) -> None:  # noqa: ARG001  # as its kin
    """Pause a running campaign: nothing of it is claimed any more; what a sender has claimed still goes out.

    Raises NotFound; Conflict if it is not running.
    """
    _lock(session, campaign_id, "running", to="paused")
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
    _lock(session, campaign_id, "paused", to="resumed")
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


_MAY_BE_FINISHED = """
     WHERE state = 'running' AND enroll_from IS NULL
       AND NOT EXISTS (SELECT FROM enrollments WHERE campaign_id = campaigns.id AND state IN ('active', 'waiting'))
"""
_LOCK_DONE = text(f"SELECT id FROM campaigns {_MAY_BE_FINISHED} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED")  # noqa: S608  # constants
_FINISH = text(f"""
    UPDATE campaigns SET state = 'finished', finished_at = :now {_MAY_BE_FINISHED} AND id = ANY(CAST(:ids AS uuid[]))
    RETURNING id
""")  # noqa: S608  # constants


def finish(session: Session, *, now: datetime) -> list[UUID]:
    """Finish every running campaign without active or waiting enrollments; return their ids. Safe to repeat.

    A statement that waited for an enrolling transaction would still not see its enrollments. So the first statement
    locks the campaigns, except those that others have locked, and the second looks again.
    """
    locked = list(session.scalars(_LOCK_DONE))
    return list(session.scalars(_FINISH, {"now": now, "ids": locked})) if locked else []


def _lock(session: Session, campaign_id: UUID, state: str, *, to: str) -> None:
    """Lock the campaign until the transaction ends; raises Conflict unless it is in `state`."""
    current = session.scalar(select(Campaign.state).where(Campaign.id == campaign_id).with_for_update(key_share=True))
    if current is None:
        raise NotFound(_NOT_THERE)
    if current != state:
        raise Conflict(f"state: the campaign is {current}; only a {state} one can be {to}")


def _views() -> Any:
    columns = [getattr(Campaign, name) for name in View.__dataclass_fields__ if name != "enrolling"]
    return select(*columns, Campaign.enroll_from.is_not(None).label("enrolling"))


def _view(row: Row[Any]) -> View:
    return View(**row._mapping)
