"""Routes of campaigns: create, enroll, launch, pause, resume, report."""

from dataclasses import asdict
from uuid import UUID

from engine import bell, clock
from engine.campaigns import campaigns, enrollments, funnel, steps
from engine.campaigns.campaigns import CampaignDraft
from models.session import Session, retrying, transaction
from web import process
from web.http import idempotency
from web.http.auth import needs
from web.http.routes import Api, Reply, refusals
from web.schemas import campaigns as shapes

api = Api("campaigns", "/api/v1/campaigns", about="Follow-up sequences of up to three e-mails.")


@api.post("", responses={201: shapes.Campaign})
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
        found = campaigns.latest(session)
    return shapes.Campaigns(campaigns=[_campaign(view) for view in found])


@api.get("/<campaign_id>", responses={200: shapes.CampaignStory})
@needs("campaigns", "reports")
def show(path: shapes.CampaignPath) -> Reply:
    """Return one campaign with its state and its funnel by step."""
    with transaction() as session:
        view = campaigns.view(session, path.campaign_id)
        counts = funnel.of(session, path.campaign_id)
    return shapes.CampaignStory(**asdict(view), funnel=shapes.Funnel.model_validate(asdict(counts)))


@api.post("/<campaign_id>/enroll", responses={200: shapes.Enrolled})
@needs("campaigns")
def enroll(path: shapes.CampaignPath, body: shapes.Enroll) -> Reply:
    """Enroll the given contacts, or the campaign's audience; existing enrollments stay unchanged.

    Converted and suppressed contacts are enrolled as stopped. A finished campaign becomes running again. Of a large
    audience the first 5,000 contacts are enrolled at once, and the others soon after.
    """
    with transaction() as session:
        done = enrollments.enroll(session, path.campaign_id, contact_ids=body.contact_ids, now=clock.now())
    bell.ring("sequence")
    return shapes.Enrolled(enrolled=done.total, stopped=dict(done.stopped), complete=done.is_complete)


@api.post("/<campaign_id>/launch", responses={200: shapes.Campaign, **refusals(409)})
@needs("campaigns")
def launch(path: shapes.CampaignPath) -> Reply:
    """Launch a draft, enrolling its audience if nobody is enrolled yet. 409 if it was launched before.

    Of a large audience the first 5,000 contacts are enrolled at once, and the others soon after: see `enrolling`.
    """
    with transaction() as session:
        campaigns.launch(session, path.campaign_id, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    bell.ring("sequence")
    return _campaign(view)


@api.post("/<campaign_id>/pause", responses={200: shapes.Campaign, **refusals(409)})
@needs("campaigns")
def pause(path: shapes.CampaignPath, body: shapes.Pause) -> Reply:
    """Pause the campaign until it is resumed; the few e-mails in flight are still sent."""
    with transaction() as session:
        campaigns.pause(session, path.campaign_id, body.reason, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    return _campaign(view)


@api.post("/<campaign_id>/resume", responses={200: shapes.Campaign, **refusals(409)})
@needs("campaigns")
def resume(path: shapes.CampaignPath) -> Reply:
    """Resume a paused campaign where it stopped."""
    with transaction() as session:
        campaigns.resume(session, path.campaign_id, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    bell.ring("campaign")
    bell.ring("sequence")
    return _campaign(view)


@api.post("/<campaign_id>/retry", responses={200: shapes.Retried})
@needs("campaigns")
def retry(path: shapes.CampaignPath, body: shapes.Retry) -> Reply:
    """Queue again the e-mails that failed because a mail server refused them, each at its step.

    Later steps count from the moment it is sent. E-mails of stopped enrollments stay failed, and those of contacts who
    got a later step.
    """
    retried = enrollments.retry_all(retrying, path.campaign_id, body.reason, now=clock.now())
    bell.ring("campaign")
    return shapes.Retried(queued=retried.queued, kept=dict(retried.kept))


def _create(session: Session, body: shapes.CampaignWanted) -> shapes.Campaign:
    draft = CampaignDraft(
        name=body.name,
        steps=[steps.StepDraft(**step.model_dump()) for step in body.steps],
        timezone=body.timezone,
        audience=body.audience,
        variables=body.variables,
    )
    campaign_id: UUID = campaigns.create(session, draft, library=process.current().library, now=clock.now())
    return _campaign(campaigns.view(session, campaign_id))


def _campaign(view: campaigns.View) -> shapes.Campaign:
    return shapes.Campaign(**asdict(view))
