"""Create and change sign-up forms; their fields are added, moved and removed without scripts."""

from typing import Any
from uuid import UUID

from flask import Response, request

from engine import clock
from engine.campaigns import campaigns
from engine.forms import forms as engine_forms
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from errors import Conflict, InvalidInput
from models.session import Session, transaction
from web import pages, process
from web.pages.forms import fields
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext

views = layout.blueprint("form_editing")
_CAMPAIGNS = 100  # the newest, to choose from
_SAVE = "save"


@views.get("/forms/new")
@pages.needs("campaigns")
def ask_create() -> Response:
    """Show an empty form with a field for the first name."""
    first = {"name": "first_name", "label_es": "Nombre", "label_en": "First name", "required": True}
    return _page(fields.Editor(formdata=None, rows=[first]))


@views.post("/forms/new")
@pages.changes("campaigns")
def create() -> Response:
    """Create the form, or show it with one field more, less or elsewhere."""
    form = fields.Editor()
    if (action := request.form.get("action", _SAVE)) != _SAVE:
        return _page(fields.changed(form, action))
    try:
        with transaction() as session:
            values, now = fields.read(form), clock.now()
            created = engine_forms.create(session, values, services=_services(), now=now)
    except (InvalidInput, Conflict) as error:
        return _refused(form, error)
    return layout.redirect_to("form_pages.show", slug=created.definition.slug)


@views.get("/forms/<slug>/edit")
@pages.needs("campaigns")
def ask_edit(slug: str) -> Response:
    """Show the editor of a form."""
    with sessions.reading() as session:
        stored = engine_forms.by_slug(session, slug)
    return _page(fields.of(stored.definition, stored.updated_at.isoformat()), stored)


@views.post("/forms/<slug>/edit")
@pages.changes("campaigns")
def edit(slug: str) -> Response:
    """Store the changed form, or show it with one field more, less or elsewhere."""
    form = fields.Editor()
    with transaction() as session:
        stored = engine_forms.by_slug(session, slug)
    if (action := request.form.get("action", _SAVE)) != _SAVE:
        return _page(fields.changed(form, action), stored)
    values = fields.read(form)
    if not layout.may("contacts"):  # the addresses of others are not shown, so they stay
        values["notify"] = list(stored.definition.notify)
    try:
        with transaction() as session:
            engine_forms.check_unchanged(session, slug, form.version.data or "")
            engine_forms.change(session, slug, values, services=_services(), now=clock.now())
    except (InvalidInput, Conflict) as error:
        return _refused(form, error, stored)
    return layout.redirect_to("form_pages.show", slug=slug)


def _services() -> FormServices:
    return FormServices.configured(process.current().settings, process.current().library)


def _refused(form: fields.Editor, error: InvalidInput | Conflict, stored: StoredForm | None = None) -> Response:
    forms.show_faults(form, error, **fields.PLACES)
    return _page(form, stored, 422 if isinstance(error, InvalidInput) else 409)


def _page(form: fields.Editor, stored: StoredForm | None = None, status: int = 200) -> Response:
    with sessions.reading() as session:
        form.campaign_id.choices = forms.options(_campaigns(session, form.campaign_id.data or ""))
    shown: dict[str, Any] = {"details": fields.detail_names(), "stored": stored, "is_wrong": status != 200}
    return layout.page("forms/edit", status, form=form, **shown)


def _campaigns(session: Session, chosen: str) -> list[tuple[str, str]]:
    """Return the campaigns to choose from: those that may still send, and the chosen one."""
    open_ones = [view for view in campaigns.latest(session, limit=_CAMPAIGNS) if view.state != "cancelled"]
    choices = [("", gettext("no campaign")), *((str(view.id), view.name) for view in open_ones)]
    if chosen and chosen not in dict(choices):
        try:
            named = campaigns.names(session, [UUID(chosen)])
        except ValueError:
            named = {}
        choices += [(str(key), name) for key, name in named.items()]
    return choices
