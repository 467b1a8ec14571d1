"""Actions on a campaign, each after a page that states its effect."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from flask import Response, request
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import Length

from engine import bell, clock, figures
from engine.campaigns import campaigns, enrollments, retries
from engine.campaigns.drafting import drafts
from errors import Conflict
from models.session import retrying, transaction
from web import pages, process
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("campaign_actions")

_ALIVE, _LAUNCHED = ("draft", "running", "paused"), ("running", "paused", "finished")


class PauseForm(forms.Form):
    """The reason of a pause, which everybody sees; it may be empty."""

    reason = StringField(lazy_gettext("Reason (optional)"), [Length(max=200)])


class CancelForm(forms.Form):
    """The reason of a cancellation, which everybody sees; it may be empty."""

    reason = StringField(lazy_gettext("Reason (optional)"), [Length(max=200)])


class RetryForm(forms.Form):
    """The failed e-mails to send again."""

    reason = SelectField(
        lazy_gettext("E-mails that failed because"),
        choices=lambda: forms.options(
            [
                ("refused", gettext("a mail server refused them")),
                ("expired", gettext("a mail server put them off for too long")),
            ]
        ),
    )


class LaunchForm(forms.Form):
    """Options of a launch."""

    starts_now = BooleanField(lazy_gettext("Start now, at any hour; later steps keep their windows"))
    only_sign_ups = BooleanField(lazy_gettext("Only people who sign up by a form; nobody of its audience"))
    skips_received = BooleanField(lazy_gettext("Leave out contacts who received one of its templates before"))


@views.get("/campaigns/<uuid:campaign_id>/launch")
@pages.needs("campaigns")
def ask_launch(campaign_id: UUID) -> Response:
    """State the effect of a launch, and ask for it."""
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
        if view.state != "draft":
            return _launched_already(view)
        report = figures.launch_report(session, view, now=clock.now())
    if report is None:
        response = layout.page("campaigns/counting", campaign=view)
        response.headers["Refresh"] = "3"
        return response
    return layout.page("campaigns/launch", campaign=view, report=report, form=LaunchForm())


@views.post("/campaigns/<uuid:campaign_id>/launch")
@pages.changes("campaigns")
def launch(campaign_id: UUID) -> Response:
    """Launch the campaign."""
    form = LaunchForm()
    options = {"starts_now": form.starts_now.data, "skips_received": form.skips_received.data}
    try:
        with transaction() as session:
            drafts.recheck(session, campaign_id, process.current().library)
            if form.only_sign_ups.data:
                drafts.keep_to_sign_ups(session, campaign_id)
            campaigns.launch(session, campaign_id, now=clock.now(), **options)
    except Conflict:
        with transaction() as session:
            view = campaigns.view(session, campaign_id)
        if view.state == "draft":  # its audience is empty
            return ask_launch(campaign_id)
        return _launched_already(view)
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
        campaigns.pause(session, campaign_id, form.reason.data or None, now=clock.now())
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.get("/campaigns/<uuid:campaign_id>/resume")
@pages.needs("campaigns")
def ask_resume(campaign_id: UUID) -> Response:
    """State the effect of a resumption, and ask for it."""
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
    note = gettext("What became due during the pause goes out now, within its windows.")
    return _ask(view, ("paused",), gettext("Resume"), note)


@views.post("/campaigns/<uuid:campaign_id>/resume")
@pages.changes("campaigns")
def resume(campaign_id: UUID) -> Response:
    """Resume the campaign."""
    with transaction() as session:
        campaigns.resume(session, campaign_id, now=clock.now())
    bell.ring("campaign")
    bell.ring("sequence")
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.get("/campaigns/<uuid:campaign_id>/cancel")
@pages.needs("campaigns")
def ask_cancel(campaign_id: UUID) -> Response:
    """State the effect of a cancellation, and ask for it."""
    return _ask_cancel(campaign_id, CancelForm())


@views.post("/campaigns/<uuid:campaign_id>/cancel")
@pages.changes("campaigns")
def cancel(campaign_id: UUID) -> Response:
    """Cancel the campaign for good."""
    form = CancelForm()
    if not form.validate():
        return _ask_cancel(campaign_id, form, 422)
    with transaction() as session:
        campaigns.cancel(session, campaign_id, form.reason.data or None)
    bell.ring("sequence")
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.get("/campaigns/<uuid:campaign_id>/start-now")
@pages.needs("campaigns")
def ask_start_now(campaign_id: UUID) -> Response:
    """State the effect of starting now, and ask for it."""
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
    note = gettext("Step 1 goes out now, at any hour and without its delay, for a day. Later steps keep their windows.")
    return _ask(view, ("running",), gettext("Start now"), note)


@views.post("/campaigns/<uuid:campaign_id>/start-now")
@pages.changes("campaigns")
def start_now(campaign_id: UUID) -> Response:
    """Start step 1 now."""
    now = clock.now()
    with transaction() as session:
        campaigns.start_now(session, campaign_id, now=now)
    enrollments.hasten_all(retrying, campaign_id, now=now)
    bell.ring("sequence")
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.get("/campaigns/<uuid:campaign_id>/retry")
@pages.needs("campaigns")
def ask_retry(campaign_id: UUID) -> Response:
    """State the effect of a retry, and ask for it."""
    return _ask_retry(campaign_id, RetryForm())


@views.post("/campaigns/<uuid:campaign_id>/retry")
@pages.changes("campaigns")
def retry(campaign_id: UUID) -> Response:
    """Queue failed e-mails again."""
    form = RetryForm()
    if not form.validate():
        return _ask_retry(campaign_id, form, 422)
    retries.retry_all(retrying, campaign_id, form.reason.data, now=clock.now())
    bell.ring("campaign")
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


def _launched_already(view: campaigns.View) -> Response:
    return layout.page("campaigns/launched_already", 409, campaign=view)


def _ask_cancel(campaign_id: UUID, form: forms.Form, status: int = 200) -> Response:
    with sessions.reading() as session:
        view, slugs = campaigns.view(session, campaign_id), enrollments.forms(session, campaign_id)
    if view.state == "draft":
        note = gettext(
            "Nothing of it was sent, and nothing will be: a cancelled campaign cannot be launched. To launch it after "
            "all, clone it."
        )
    else:
        note = gettext(
            "Nothing more is sent, for good: a cancelled campaign cannot be resumed. The few e-mails on their way "
            "still arrive. To run it again, clone it."
        )
    if slugs:
        note += " " + gettext("Those who sign up by the form %(slugs)s then enter no campaign.", slugs=", ".join(slugs))
    return _ask(view, _ALIVE, gettext("Cancel the campaign"), note, status, form=form, is_final=True)


def _ask_retry(campaign_id: UUID, form: forms.Form, status: int = 200) -> Response:
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
    note = gettext(
        "These e-mails are sent again, and later steps count from that moment. E-mails to contacts who stopped or got "
        "a later step stay failed."
    )
    return _ask(view, _LAUNCHED, gettext("Retry failed e-mails"), note, status, form=form)


def _ask_pause(campaign_id: UUID, form: PauseForm, status: int = 200) -> Response:
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
    note = gettext("Nothing more is sent until it is resumed. The few e-mails on their way still arrive.")
    return _ask(view, ("running",), gettext("Pause"), note, status, form=form)


def _ask(
    view: campaigns.View, states: Collection[str], action: str, note: str, status: int = 200, **content: Any
) -> Response:  # fmt: skip
    """Return the page before an action; in another state, the campaign with its present actions."""
    if view.state not in states:
        return layout.redirect_to("campaigns_pages.show", campaign_id=view.id)
    return layout.page(
        "campaigns/confirm", status, campaign=view, action=action, note=note, path=request.path, **content
    )
