"""The list of campaigns, and one campaign with its progress."""

from typing import Any
from uuid import UUID

from flask import Response

from engine import clock, figures
from engine.analytics import snapshots
from engine.campaigns import campaigns, enrollments, steps
from models import together
from models.session import Session
from web import pages
from web.pages.frame import layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("campaigns")
ENTRY = layout.Entry("campaigns_pages.listing", lazy_gettext("Campaigns"))


@views.get("/campaigns")
@pages.needs("campaigns", "reports")
def listing() -> Response:
    """List the newest campaigns with their figures."""
    with sessions.reading() as session:
        newest = campaigns.latest(session)
        counted = figures.stored(session, [view.id for view in newest])
    return layout.page("campaigns/list", campaigns=[(view, counted.get(view.id)) for view in newest])


@views.get("/campaigns/<uuid:campaign_id>")
@pages.needs("campaigns", "reports")
def show(campaign_id: UUID) -> Response:
    """Show one campaign."""
    with sessions.reading() as session:
        content = _progress(session, campaign_id)
        content["steps"] = steps.of(session, campaign_id)
    return layout.page("campaigns/one", **content)


@views.get("/campaigns/<uuid:campaign_id>/progress")
@pages.needs("campaigns", "reports")
def progress(campaign_id: UUID) -> Response:
    """Return the part that is fetched again while the page is open."""
    return layout.followed("campaigns/progress", _progress_now, campaign_id)


def _progress_now(campaign_id: UUID) -> dict[str, Any]:
    with sessions.reading() as session:
        return _progress(session, campaign_id)


def _progress(session: Session, campaign_id: UUID) -> dict[str, Any]:
    now, name = clock.now(), figures.name_of(campaign_id)
    view, stored, are_held = together.all_of(
        session,
        campaigns.query(campaign_id),
        snapshots.query(name),
        enrollments.held_query(campaign_id, now=now),
    )
    counted = figures.of(session, name, now=now, stored=stored)
    minute = counted.taken_at.replace(second=0, microsecond=0)  # as it is shown
    is_counted = view.launched_at is None or counted.taken_at >= view.launched_at
    is_held = view.state == "running" and are_held
    return {"campaign": view, "funnel": counted.value, "taken_at": minute, "is_counted": is_counted, "is_held": is_held}
