"""Routes of campaigns: create, edit, clone, enroll, launch, pause, resume, cancel, report."""

from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from engine import bell, clock
from engine.campaigns import campaigns, enrollments, retries, steps
from engine.campaigns.drafting import drafts
from engine.campaigns.drafting.drafts import CampaignDraft
from engine.campaigns.reports import funnel, preflight
from engine.templates.templates import Library
from models.session import Session, retrying, transaction
from web import process
from web.http import idempotency
from web.http.auth import needs
from web.http.routes import Api, Reply, refusals
from web.schemas import campaigns as shapes

api = Api("campaigns", "/api/v1/campaigns", about="Follow-up sequences of up to three e-mails.")
_NAMED_ALIKE = refusals({409: "name: another campaign has this name; choose another"})
_NO_DRAFT = refusals({409: "state: the campaign is running; only a draft one can be launched"})
_NOT_RUNNING = refusals({409: "state: the campaign is draft; only a running one can be paused"})
_NOT_STARTED = refusals({409: "state: the campaign is draft; only a running one can be started now"})
_NOT_PAUSED = refusals({409: "state: the campaign is running; only a paused one can be resumed"})

_NO_VERSION = refusals({409: "version: somebody has edited it meanwhile; it is 2 now, not 1: load it again"})
_NOT_DELETED = refusals({409: "state: the campaign is running; only a draft one can be deleted"})
_CANCELLED = refusals({409: "state: the campaign is cancelled; nothing of it is sent any more"})
_ENDED = refusals({409: "state: the campaign is finished; only a draft or running or paused one can be cancelled"})


@api.post("", responses={201: shapes.Campaign, **_NAMED_ALIKE})
@needs("campaigns")
def create(header: shapes.Headers, body: shapes.CampaignWanted) -> Reply:
    """Create a campaign as a draft.

    Reports every fault at once, including template variables without a value. Nothing is sent before the launch.
    """
    key = idempotency.read(header.idempotency_key)
    return idempotency.do(key, lambda session: _create(session, body), status=201).response


@api.get("", responses={200: shapes.Campaigns})
@needs("campaigns", "reports")
def listing() -> Reply:
    """List the newest campaigns, newest first."""
    with transaction() as session:
        newest = campaigns.latest(session)
    return shapes.Campaigns(campaigns=[_campaign(view) for view in newest])


@api.get("/<campaign_id>", responses={200: shapes.CampaignStory})
@needs("campaigns", "reports")
def show(path: shapes.CampaignPath) -> Reply:
    """Return one campaign with its state and its funnel by step."""
    with transaction() as session:
        view = campaigns.view(session, path.campaign_id)
        counts = funnel.of(session, path.campaign_id)
    return shapes.CampaignStory(**asdict(view), funnel=shapes.Funnel.model_validate(asdict(counts)))


@api.patch("/<campaign_id>", responses={200: shapes.Campaign, **_NO_VERSION})
@needs("campaigns")
def edit(path: shapes.CampaignPath, body: shapes.CampaignEdit) -> Reply:
    """Edit a draft: fields that the body has replace those of the draft. 409 if it is no draft any more.

    `version` is that of the campaign as it was read. 409 if somebody else has edited it since.
    """
    with transaction() as session:
        draft = replace(drafts.of(session, path.campaign_id), **_content(body))
        drafts.edit(session, path.campaign_id, draft, version=body.version, library=_library())
        view = campaigns.view(session, path.campaign_id)
    return _campaign(view)


@api.delete("/<campaign_id>", responses={200: shapes.Deleted, **_NOT_DELETED})
@needs("campaigns")
def delete(path: shapes.CampaignPath) -> Reply:
    """Delete a draft in which nobody is enrolled; cancel any other campaign."""
    with transaction() as session:
        drafts.remove(session, path.campaign_id)
    return shapes.Deleted(id=path.campaign_id)


@api.post("/<campaign_id>/clone", responses={201: shapes.Campaign})
@needs("campaigns")
def clone(header: shapes.Headers, path: shapes.CampaignPath) -> Reply:
    """Create a draft with the content of a campaign in any state, named like `Otoño (copy)`."""
    key = idempotency.read(header.idempotency_key)
    return idempotency.do(key, lambda session: _clone(session, path.campaign_id), status=201).response


@api.post("/<campaign_id>/enroll", responses={200: shapes.Enrolled, **_CANCELLED})
@needs("campaigns")
def enroll(path: shapes.CampaignPath, body: shapes.Enroll) -> Reply:
    """Enroll the given contacts, or the campaign's audience; existing enrollments stay unchanged.

    Converted and suppressed contacts are enrolled as stopped. A finished campaign becomes running again. Of a large
    audience the first 5,000 contacts are enrolled at once, and the others soon after.
    """
    with transaction() as session:
        enrolled = enrollments.enroll(session, path.campaign_id, contact_ids=body.contact_ids, now=clock.now())
    bell.ring("sequence")
    return shapes.Enrolled(enrolled=enrolled.total, stopped=dict(enrolled.stopped), complete=enrolled.is_complete)


@api.post("/<campaign_id>/launch", responses={200: shapes.Launched, **_NO_DRAFT})
@needs("campaigns")
def launch(path: shapes.CampaignPath, body: shapes.Launch) -> Reply:
    """Launch a draft, enrolling its audience unless contacts were enrolled by hand. 409 if it was launched before.

    `report` says who gets e-mails, who is left out and why, and when the first e-mail goes out. With `dry_run` nothing
    else happens. Of a large audience the first 5,000 contacts are enrolled at once, and the others soon after: see
    `enrolling`; the report counts all of them.
    """
    options = {"starts_now": body.now, "skips_received": body.skip_received}
    now = clock.now()
    with transaction() as session:
        drafts.recheck(session, path.campaign_id, _library())
        report = preflight.of(session, path.campaign_id, now=now, **options)
        if not body.dry_run:
            campaigns.launch(session, path.campaign_id, now=now, **options)
        view = campaigns.view(session, path.campaign_id)
    if not body.dry_run:
        bell.ring("sequence")
    return shapes.Launched(**asdict(view), report=_report(report))


@api.post("/<campaign_id>/start-now", responses={200: shapes.Started, **_NOT_STARTED})
@needs("campaigns")
def start_now(path: shapes.CampaignPath) -> Reply:
    """Send step 1 of a running campaign now, outside its window and before its delay. Later steps keep theirs.

    It holds for a day, also for contacts enrolled meanwhile. Safe to repeat.
    """
    now = clock.now()
    with transaction() as session:
        campaigns.start_now(session, path.campaign_id, now=now)
    contacts = enrollments.hasten_all(retrying, path.campaign_id, now=now)
    bell.ring("sequence")
    return shapes.Started(contacts=contacts)


@api.post("/<campaign_id>/pause", responses={200: shapes.Campaign, **_NOT_RUNNING})
@needs("campaigns")
def pause(path: shapes.CampaignPath, body: shapes.Pause) -> Reply:
    """Pause the campaign until it is resumed; the few e-mails in flight are still sent."""
    with transaction() as session:
        campaigns.pause(session, path.campaign_id, body.reason, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    return _campaign(view)


@api.post("/<campaign_id>/resume", responses={200: shapes.Campaign, **_NOT_PAUSED})
@needs("campaigns")
def resume(path: shapes.CampaignPath) -> Reply:
    """Resume a paused campaign where it stopped."""
    with transaction() as session:
        campaigns.resume(session, path.campaign_id, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    bell.ring("campaign")
    bell.ring("sequence")
    return _campaign(view)


@api.post("/<campaign_id>/cancel", responses={200: shapes.Campaign, **_ENDED})
@needs("campaigns")
def cancel(path: shapes.CampaignPath, body: shapes.Cancel) -> Reply:
    """Cancel a draft, running or paused campaign for good; the few e-mails in flight are still sent.

    Workers then stop its contacts, 5,000 at a time: see `stopping`.
    """
    with transaction() as session:
        campaigns.cancel(session, path.campaign_id, body.reason)
        view = campaigns.view(session, path.campaign_id)
    bell.ring("sequence")
    return _campaign(view)


@api.post("/<campaign_id>/retry", responses={200: shapes.Retried, **_CANCELLED})
@needs("campaigns")
def retry(path: shapes.CampaignPath, body: shapes.Retry) -> Reply:
    """Queue again the e-mails that failed because a mail server refused them, each at its step.

    Later steps count from the moment it is sent. E-mails of stopped enrollments stay failed, and those of contacts who
    got a later step.
    """
    retried = retries.retry_all(retrying, path.campaign_id, body.reason, now=clock.now())
    bell.ring("campaign")
    return shapes.Retried(queued=retried.queued, kept=dict(retried.kept))


def _create(session: Session, body: shapes.CampaignWanted) -> shapes.Campaign:
    draft = CampaignDraft(**_content(body))
    return _campaign(campaigns.view(session, drafts.create(session, draft, library=_library(), now=clock.now())))


def _clone(session: Session, campaign_id: UUID) -> shapes.Campaign:
    return _campaign(campaigns.view(session, drafts.clone(session, campaign_id, library=_library(), now=clock.now())))


def _content(body: shapes.CampaignWanted | shapes.CampaignEdit) -> dict[str, Any]:
    """Return the content of a draft that the body has."""
    content = {name: getattr(body, name) for name in CampaignDraft.__dataclass_fields__}
    content = {name: value for name, value in content.items() if value is not None}
    if body.steps is not None:
        content["steps"] = [steps.StepDraft(**step.model_dump()) for step in body.steps]
    return content


def _library() -> Library:
    return process.current().library


def _report(report: preflight.Preflight) -> shapes.LaunchReport:
    return shapes.LaunchReport(
        enrolled=report.enrolled,
        mailed=report.mailed,
        left_out=dict(report.left_out),
        received=dict(report.received),
        first_email_at=report.first_email_at,
        summary=preflight.sentences(report),
        hints=_hints(report),
    )


def _hints(report: preflight.Preflight) -> list[str]:
    """Return the ways to change what the report says."""
    now = ["To send the first e-mail now: POST …/start-now, or launch with now=true."] if report.is_waiting else []
    again = "To leave out contacts who received a template before: launch with skip_received=true."
    return now + ([again] if report.received else [])


def _campaign(view: campaigns.View) -> shapes.Campaign:
    return shapes.Campaign(**asdict(view))
