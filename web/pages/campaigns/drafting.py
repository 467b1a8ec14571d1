"""Create, edit, clone and delete drafts of campaigns by a form that counts the audience while it is filled in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, request

from engine import clock, figures
from engine.audience import segments, zones
from engine.campaigns import campaigns, steps
from engine.campaigns.drafting import drafts, estimate
from engine.campaigns.drafting.drafts import CampaignDraft
from engine.figures import Basis
from engine.forms import correspondence
from engine.previews import preview
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender
from errors import Conflict, InvalidInput
from models import together
from models.session import Session, transaction
from web import pages, process
from web.pages.campaigns import fields
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext

views = layout.blueprint("campaign_drafts")

_VARIABLES_OF_ALL = 12  # if all templates together have no more, the form has a field for each
_VALUES_SHOWN = 100
_SAMPLE_CHARS = 100
ZONES = (
    "Europe/Madrid", "Atlantic/Canary", "Europe/Lisbon", "Europe/London", "Europe/Paris", "Europe/Berlin",
    "Europe/Rome", "America/Mexico_City", "America/Bogota", "America/Lima", "America/Caracas", "America/La_Paz",
    "America/Santiago", "America/Argentina/Buenos_Aires", "America/Montevideo", "America/Sao_Paulo",
    "America/Guatemala", "America/Panama", "America/New_York", "America/Chicago", "America/Los_Angeles", "UTC",
)  # fmt: skip


@views.get("/campaigns/new")
@pages.needs("campaigns")
def ask_create() -> Response:
    """Show an empty form, in the time zone of the newest campaign."""
    with sessions.reading() as session:
        newest, *basis = together.all_of(session, campaigns.latest_query(limit=1), *figures.basis_queries())
        draft = CampaignDraft("", [], newest[0].timezone if newest else "Europe/Madrid")
        sized = _sized(session, draft, Basis(*basis))
    return _page(fields.empty(draft.timezone), draft, **sized)


@views.post("/campaigns/new")
@pages.changes("campaigns")
def create() -> Response:
    """Store the draft, or only check it."""
    form = fields.DraftForm()
    draft = fields.read(form, {})
    if refused := _refused(form, draft):
        return refused
    try:
        with transaction() as session:
            campaign_id = drafts.create(session, draft, library=process.current().library, now=clock.now())
    except Conflict as conflict:
        return _conflict(form, draft, conflict)
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.get("/campaigns/<uuid:campaign_id>/edit")
@pages.needs("campaigns")
def ask_edit(campaign_id: UUID) -> Response:
    """Show the form of a draft."""
    with sessions.reading() as session:
        view, *basis = together.all_of(session, campaigns.query(campaign_id), *figures.basis_queries())
        draft = drafts.of(session, campaign_id)
        sized = _sized(session, draft, Basis(*basis))
    if view.state != "draft":
        raise Conflict(gettext("Only a draft can be edited. Clone the campaign to run it with changes."))
    return _page(fields.of(draft, view.version), draft, campaign=view, **sized)


@views.post("/campaigns/<uuid:campaign_id>/edit")
@pages.changes("campaigns")
def edit(campaign_id: UUID) -> Response:
    """Store the changed draft, or only check it."""
    form = fields.DraftForm()
    with transaction() as session:
        view = campaigns.view(session, campaign_id)
    draft = fields.read(form, view.variables)
    if refused := _refused(form, draft, view):
        return refused
    version = int(form.version.data) if (form.version.data or "").isdecimal() else 0
    try:
        with transaction() as session:
            drafts.edit(session, campaign_id, draft, version=version, library=process.current().library)
    except Conflict as conflict:
        return _conflict(form, draft, conflict, view)
    return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)


@views.post("/campaigns/estimate")
@pages.changes("campaigns")
def ask_estimate() -> Response:
    """Return the estimate of the form's content; stores nothing."""
    draft = fields.read(fields.DraftForm(), {})
    with sessions.reading() as session:
        return layout.fragment("campaigns/estimate", estimate=_estimate(session, draft, _basis(session)))


@views.get("/campaigns/<uuid:campaign_id>/delete")
@pages.needs("campaigns")
def ask_delete(campaign_id: UUID) -> Response:
    """Ask whether to delete a draft."""
    with sessions.reading() as session:
        view = campaigns.view(session, campaign_id)
    if view.state != "draft":
        return layout.redirect_to("campaigns_pages.show", campaign_id=campaign_id)
    note = gettext("The draft is deleted. Nothing was sent.")
    content: dict[str, Any] = {
        "action": gettext("Delete"),
        "note": note,
        "form": None,
        "path": request.path,
        "is_final": True,
    }
    return layout.page("campaigns/confirm", campaign=view, **content)


@views.post("/campaigns/<uuid:campaign_id>/delete")
@pages.changes("campaigns")
def delete(campaign_id: UUID) -> Response:
    """Delete the draft."""
    with transaction() as session:
        drafts.remove(session, campaign_id)
    return layout.redirect_to("campaigns_pages.listing")


@views.post("/campaigns/<uuid:campaign_id>/clone")
@pages.changes("campaigns")
def clone(campaign_id: UUID) -> Response:
    """Create a draft with the content of this campaign, and open its form."""
    with transaction() as session:
        copied = drafts.clone(
            session, campaign_id, library=process.current().library, word=gettext("copy"), now=clock.now()
        )
    return layout.redirect_to("campaign_drafts_pages.ask_edit", campaign_id=copied)


def _refused(form: fields.DraftForm, draft: CampaignDraft, view: campaigns.View | None = None) -> Response | None:
    """Return the form with its faults at their fields, or as it is if only a check was asked for; None to go on."""
    is_valid = form.validate()
    with transaction() as session:
        faults = drafts.faults(session, draft, process.current().library)
    of_variables, others = fields.place(form, faults)
    if "check" in request.form:
        form.add_rows()
        return _page(form, draft, campaign=view, of_variables=of_variables, others=others)
    if is_valid and not faults:
        return None
    return _page(form, draft, 422, campaign=view, of_variables=of_variables, others=others)


def _conflict(
    form: fields.DraftForm, draft: CampaignDraft, conflict: Conflict, view: campaigns.View | None = None
) -> Response:
    subject = str(conflict).partition(":")[0]
    if subject == "name":
        fields.add_error(form, "name", gettext("Another campaign has this name; choose another."))
        return _page(form, draft, 409, campaign=view)
    if subject == "version":
        stale = gettext("Somebody else has edited this campaign meanwhile. Open it again in another tab and compare.")
        return _page(form, draft, 409, campaign=view, others=[stale])
    if subject == "audience":
        enrolled = gettext("Its contacts are enrolled already, so its audience stays. Clone it to choose others.")
        return _page(form, draft, 409, campaign=view, others=[enrolled])
    raise conflict


def _page(form: fields.DraftForm, draft: CampaignDraft, status: int = 200, **shown: Any) -> Response:
    campaign: campaigns.View | None = shown.get("campaign")
    templates = _templates(draft)
    for step in form.steps:
        step.template.choices = forms.options(
            [("", gettext("no step")), *((name, label) for name, label, _ in templates)]
        )
    shown.setdefault("campaign", None)
    shown.setdefault("of_variables", {})
    shown.setdefault("others", [])
    if "estimate" not in shown:
        with sessions.reading() as session:
            shown |= _sized(session, draft, _basis(session))
    shown["variables"] = _variables(draft, templates, campaign.variables if campaign else {})
    return layout.page("campaigns/form", status, form=form, zones=ZONES, **shown)


def _basis(session: Session) -> Basis:
    return Basis(*together.all_of(session, *figures.basis_queries()))


def _sized(session: Session, draft: CampaignDraft, basis: Basis) -> dict[str, Any]:
    """Return the estimate of the contacts, and the words that the fields suggest."""
    words = figures.words(session, basis, now=clock.now())
    of_attributes = {key.partition(".")[2]: each for key, each in words.items() if key.startswith("attributes.")}
    values = sorted({word for each in of_attributes.values() for word in each})[:_VALUES_SHOWN]
    return {
        "estimate": _estimate(session, draft, basis),
        "words": {**words, "attributes": of_attributes, "values": values},
    }


def _templates(draft: CampaignDraft) -> list[tuple[str, str, dict[str, Any]]]:
    """Return name, name with subject, and samples of the own variables of each template, also of deleted ones.

    The templates of forms are left out, unless they are chosen.
    """
    library = process.current().library
    described = []
    names = [name for name in library.names() if name not in correspondence.TEMPLATES]
    for name in [*names, *(step.template for step in draft.steps if step.template not in names)]:
        try:
            template = library.get(name)
            own = (template.required | template.optional) - set(steps.CONTACT_VARIABLES)
            samples = {variable: template.sample.get(variable, "") for variable in own}
            described.append((name, f"{name} · {preview.sample_subject(template)}", samples))
        except (UnusableTemplate, CannotRender):
            described.append((name, gettext("%(name)s (cannot be used)", name=name), {}))
    return described


def _variables(
    draft: CampaignDraft, templates: list[tuple[str, str, dict[str, Any]]], stored: Mapping[str, Any]
) -> list[tuple[str, str, str, list[str]]]:
    """Return name, value, sample and templates of each variable that has a field.

    The samples are those of the chosen templates, if one of them uses the variable.
    """
    chosen = {step.template for step in draft.steps}
    in_order = sorted(templates, key=lambda template: template[0] not in chosen)
    samples = {name: sample for _, _, own in reversed(in_order) for name, sample in own.items()}
    shown = {name for template, _, own in templates if template in chosen for name in own}
    if len(samples) <= _VARIABLES_OF_ALL:
        shown |= set(samples)
    values = {**stored, **draft.variables}
    shown |= {name for name, value in values.items() if isinstance(value, str)}
    typed = fields.variables()
    return [
        (
            name,
            typed.get(name, str(values.get(name, ""))),
            str(samples.get(name, ""))[:_SAMPLE_CHARS],
            _users(name, templates, chosen),
        )
        for name in sorted(shown)
        if isinstance(values.get(name, ""), str)
    ]


def _users(name: str, templates: list[tuple[str, str, dict[str, Any]]], chosen: set[str]) -> list[str]:
    """Return the chosen templates that use this variable; if there is none, all others that do."""
    users = [template for template, _, own in templates if name in own]
    return [template for template in users if template in chosen] or users


def _estimate(session: Session, draft: CampaignDraft, basis: Basis) -> dict[str, Any]:
    """Return the size of the audience and the dates of the first e-mails, each None while the form has faults there."""
    try:
        size = figures.audience(session, segments.read(draft.audience), basis, now=clock.now())
    except InvalidInput:
        size = None
    is_planned = zones.exists(draft.timezone) and not list(steps.faults(draft.steps))
    dates = estimate.dates(draft.steps, draft.timezone, now=clock.now()) if is_planned else []
    only_sign_ups = segments.ONLY_SIGN_UPS in draft.audience
    return {"size": size, "dates": dates, "timezone": draft.timezone, "only_sign_ups": only_sign_ups}
