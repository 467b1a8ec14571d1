"""One form: its figures, its address and code for other sites, its texts; disable and enable it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request

from engine import clock, figures
from engine.campaigns import campaigns
from engine.forms import consents, counts, definitions, forms
from errors import NotFound
from models.session import Session, transaction
from web import pages, process
from web.pages.frame import languages, layout, sessions
from web.public.forms import drawing

views = layout.blueprint("form")
_READERS = ("campaigns", "reports")
_COUNTED = ("shown", "machines", "submitted", "confirmed")


@views.get("/forms/<slug>")
@pages.needs(*_READERS)
def show(slug: str) -> Response:
    """Show one form."""
    with sessions.reading() as session:
        content = _figures(session, slug)
        definition = content["form"].definition
        content["consents"] = consents.versions(session, content["form"].id)
        content["campaign"] = _campaign(session, definition.campaign_id)
    url = f"{process.current().settings.public_url.rstrip('/')}/f/{definition.slug}"
    return layout.page(
        "forms/one", url=url, languages=[each for each in definitions.LANGUAGES if each in definition.title], **content
    )


@views.get("/forms/<slug>/figures")
@pages.needs(*_READERS)
def part(slug: str) -> Response:
    """Return the part that is fetched again while the page is open."""
    return layout.followed("forms/figures", _figures_now, slug)


@views.get("/forms/<slug>/preview")
@pages.needs(*_READERS)
def preview(slug: str) -> Response:
    """Return the form as people see it, for a frame; nothing can be sent from there."""
    with sessions.reading() as session:
        form = forms.by_slug(session, slug)
    wanted = request.args.get("lang", "")
    return drawing.preview(form, wanted if wanted in definitions.LANGUAGES else languages.current())


@views.post("/forms/<slug>/<action>")
@pages.changes("campaigns")
def act(slug: str, action: str) -> Response:
    """Stop the submissions to a form (`disable`), or take them again (`enable`)."""
    if action not in ("disable", "enable"):
        raise NotFound(f"page: there is none at {action[:100]}")
    with transaction() as session:
        forms.set_active(session, slug, action == "enable", now=clock.now())
    return layout.redirect_to("form_pages.show", slug=slug)


def _campaign(session: Session, campaign_id: UUID | None) -> campaigns.View | None:
    """Return the campaign of a form, None if it has none or a deleted one."""
    try:
        return campaigns.view(session, campaign_id) if campaign_id else None
    except NotFound:
        return None


def _figures_now(slug: str) -> dict[str, Any]:
    with sessions.reading() as session:
        return _figures(session, slug)


def _figures(session: Session, slug: str) -> dict[str, Any]:
    form, now = forms.by_slug(session, slug), clock.now()
    counted = figures.of(session, figures.name_of_form(form.id), now=now)
    days = counted.value["days"]
    return {
        "form": form,
        "title": definitions.in_language(form.definition.title, languages.current()),
        "taken_at": counted.taken_at.replace(second=0, microsecond=0),  # as it is shown
        "states": counted.value["states"],
        "totals": {name: sum(day.get(name, 0) for day in days.values()) for name in _COUNTED},
        "chart": _chart(days, now.date()),
    }


def _chart(days: Mapping[str, Mapping[str, int]], today: date) -> dict[str, list[Any]]:
    shown = [today - timedelta(days=ago) for ago in range(counts.DAYS - 1, -1, -1)]
    of_days = [days.get(str(day), {}) for day in shown]
    return {
        "labels": [languages.day(day) for day in shown],
        "confirmed": [day.get("confirmed", 0) for day in of_days],
        "waiting": [day.get("submitted", 0) - day.get("confirmed", 0) for day in of_days],
    }
