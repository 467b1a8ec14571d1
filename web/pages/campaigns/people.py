"""The people behind each number of a campaign."""

from typing import Any
from uuid import UUID

from flask import Response, request

from engine.campaigns import campaigns
from engine.campaigns.reports import people
from errors import NotFound
from web import pages
from web.pages.contacts.words import STOPPED
from web.pages.frame import layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("campaign_people")

TITLES: dict[str, Any] = {
    "sent": lazy_gettext("Sent"),
    "opened": lazy_gettext("Opened"),
    "clicked": lazy_gettext("Clicked"),
    "converted": lazy_gettext("Converted"),
    "failed": lazy_gettext("Failed"),
    "bounced": lazy_gettext("Bounced"),
    "in_doubt": lazy_gettext("In doubt"),
    "queued": lazy_gettext("Waiting"),
    "enrolled": lazy_gettext("Contacts"),
    "running": lazy_gettext("Still in the sequence"),
    "finished": lazy_gettext("All steps done"),
    "stopped": lazy_gettext("Stopped"),
}


@views.get("/campaigns/<uuid:campaign_id>/steps/<int:step>/<fact>")
@pages.needs("contacts")
def of_step(campaign_id: UUID, step: int, fact: str) -> Response:
    """List the contacts whose e-mail of this step has this fact."""
    if fact not in people.FACTS:
        raise NotFound("fact: there is none of this name")
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
        page = people.of_step(session, campaign_id, people.StepFact(step, fact), after=request.args.get("after"))
    return _page(view, page, fact, step=step)


@views.get("/campaigns/<uuid:campaign_id>/contacts/<state>")
@pages.needs("contacts")
def in_state(campaign_id: UUID, state: str) -> Response:
    """List the contacts in this state, those who stopped also by reason."""
    if state not in people.STATES:
        raise NotFound("state: there is none of this name")
    reason, after = request.args.get("reason") or None, request.args.get("after")
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
        page = people.in_state(session, campaign_id, state, reason=reason, after=after)
    return _page(view, page, state, reason=reason)


def _page(
    view: campaigns.View, page: people.Page, title: str, *, step: int | None = None, reason: str | None = None
) -> Response:
    return layout.page(
        "campaigns/people",
        campaign=view,
        page=page,
        fact=title,
        title=TITLES[title],
        step=step,
        reason=reason,
        is_first="after" not in request.args,
        stop_reasons=STOPPED,
    )
