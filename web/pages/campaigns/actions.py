"""Actions on a campaign, each after a page that says what will happen."""

from uuid import UUID

from flask import Response, request
from flask_babel import gettext, lazy_gettext
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired, Length

from engine import bell, clock
from engine.campaigns import campaigns
from engine.campaigns.reports import preflight
from models.session import transaction
from web import pages
from web.pages.frame import forms, layout

views = layout.blueprint("campaign_actions")


class PauseForm(forms.Form):
    """The reason of a pause, which everybody sees."""

    reason = StringField(lazy_gettext("Reason"), [DataRequired(), Length(max=200)])


class LaunchForm(forms.Form):
    """Options of a launch."""

    starts_now = BooleanField(lazy_gettext("Start now, at any hour; later steps keep their windows"))
    skips_received = BooleanField(lazy_gettext("Leave out contacts who received one of its templates before"))


@views.get("/campaigns/<uuid:campaign_id>/launch")
@pages.needs("campaigns")
def ask_launch(campaign_id: UUID) -> Response:
    """Say what a launch will do, and ask for it."""
    with transaction() as session:
        view = campaigns.view(session, campaign_id)
        report = preflight.of(session, campaign_id, now=clock.now())
    return layout.page("campaigns/launch", campaign=view, report=report, form=LaunchForm())


@views.post("/campaigns/<uuid:campaign_id>/launch")
@pages.changes("campaigns")
def launch(campaign_id: UUID) -> Response:
    """Launch the campaign."""
    form = LaunchForm()
    with transaction() as session:
        campaigns.launch(
            session,
            campaign_id,
            now=clock.now(),
            starts_now=form.starts_now.data,
            skips_received=form.skips_received.data,
        )
    bell.ring("sequence")
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.get("/campaigns/<uuid:campaign_id>/pause")
@pages.needs("campaigns")
def ask_pause(campaign_id: UUID) -> Response:
    """Ask for the reason of a pause."""
    return _ask_pause(campaign_id, PauseForm())


@views.post("/campaigns/<uuid:campaign_id>/pause")
@pages.changes("campaigns")
def pause(campaign_id: UUID) -> Response:
    """Pause the campaign."""
    form = PauseForm()
    if not form.validate():
        return _ask_pause(campaign_id, form, 422)
    with transaction() as session:
        campaigns.pause(session, campaign_id, form.reason.data, now=clock.now())
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.get("/campaigns/<uuid:campaign_id>/resume")
@pages.needs("campaigns")
def ask_resume(campaign_id: UUID) -> Response:
    """Say what a resumption will do, and ask for it."""
    with transaction() as session:
        view = campaigns.view(session, campaign_id)
    return _ask(view, gettext("Resume"), gettext("What became due during the pause goes out now, within its windows."))


@views.post("/campaigns/<uuid:campaign_id>/resume")
@pages.changes("campaigns")
def resume(campaign_id: UUID) -> Response:
    """Resume the campaign."""
    with transaction() as session:
        campaigns.resume(session, campaign_id, now=clock.now())
    bell.ring("campaign")
    bell.ring("sequence")
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


def _ask_pause(campaign_id: UUID, form: PauseForm, status: int = 200) -> Response:
    with transaction() as session:
        view = campaigns.view(session, campaign_id)
    note = gettext("Nothing more is sent until it is resumed. The few e-mails on their way still arrive.")
    return _ask(view, gettext("Pause"), note, form=form, status=status)


def _ask(
    view: campaigns.View, action: str, note: str, *, form: forms.Form | None = None, status: int = 200
) -> Response:
    return layout.page(
        "campaigns/confirm", status, campaign=view, action=action, note=note, form=form, path=request.path
    )
