"""Campaigns: draw up, enroll, launch, pause, resume, and see how far they came."""

from dataclasses import asdict
from uuid import UUID

from engine import bell, clock
from engine.campaigns import campaigns, enrollments, funnel, steps
from engine.campaigns.campaigns import CampaignDraft
from models.session import Session, transaction
from web import process
from web.http import idempotency
from web.http.auth import needs
from web.http.routes import Api, Reply, refusals
from web.schemas import campaigns as shapes

api = Api("campaigns", "/api/v1/campaigns", about="Follow-up sequences of up to three e-mails.")


@api.post("", responses={201: shapes.Campaign})
@needs("campaigns")
def create(header: shapes.Headers, body: shapes.CampaignWanted) -> Reply:
    """Draw up a campaign.

    It is checked whole: every fault is named, template variables that nothing provides included. Nothing is sent
    before it is launched.
    """
    key = idempotency.key(header.idempotency_key)
    return idempotency.do(key, lambda session: _create(session, body), status=201).response


@api.get("", responses={200: shapes.Campaigns})
@needs("campaigns", "reports")
def listing() -> Reply:
    """The newest campaigns, newest first."""
    with transaction() as session:
        found = campaigns.latest(session)
    return shapes.Campaigns(campaigns=[_campaign(view) for view in found])


@api.get("/<campaign_id>", responses={200: shapes.CampaignStory})
@needs("campaigns", "reports")
def show(path: shapes.CampaignPath) -> Reply:
    """One campaign: its state and its funnel, step by step."""
    with transaction() as session:
        view = campaigns.view(session, path.campaign_id)
        counts = funnel.of(session, path.campaign_id)
    return shapes.CampaignStory(**asdict(view), funnel=shapes.Funnel.model_validate(asdict(counts)))


@api.post("/<campaign_id>/enroll", responses={200: shapes.Enrolled})
@needs("campaigns")
def enroll(path: shapes.CampaignPath, body: shapes.Enroll) -> Reply:
    """Enroll contacts, or the campaign's audience; those who are enrolled already stay as they are.

    Converted and suppressed contacts are enrolled as stopped. A finished campaign runs again.
    """
    with transaction() as session:
        done = enrollments.enroll(session, path.campaign_id, contact_ids=body.contact_ids, now=clock.now())
    bell.ring("sequence")
    return shapes.Enrolled(enrolled=done.total, stopped=dict(done.stopped))


@api.post("/<campaign_id>/launch", responses={200: shapes.Campaign, **refusals(409)})
@needs("campaigns")
def launch(path: shapes.CampaignPath) -> Reply:
    """Start a draft; its audience is enrolled if nobody is yet. 409 when it was launched before."""
    with transaction() as session:
        campaigns.launch(session, path.campaign_id, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    bell.ring("sequence")
    return _campaign(view)


@api.post("/<campaign_id>/pause", responses={200: shapes.Campaign, **refusals(409)})
@needs("campaigns")
def pause(path: shapes.CampaignPath, body: shapes.Pause) -> Reply:
    """Send nothing more until it is resumed; the few mails that are being sent at this moment still go out."""
    with transaction() as session:
        campaigns.pause(session, path.campaign_id, body.reason, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    return _campaign(view)


@api.post("/<campaign_id>/resume", responses={200: shapes.Campaign, **refusals(409)})
@needs("campaigns")
def resume(path: shapes.CampaignPath) -> Reply:
    """Go on where it was paused; nothing was lost."""
    with transaction() as session:
        campaigns.resume(session, path.campaign_id, now=clock.now())
        view = campaigns.view(session, path.campaign_id)
    bell.ring("campaign")
    bell.ring("sequence")
    return _campaign(view)


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
