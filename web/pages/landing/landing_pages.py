"""The list of landing pages, and the form of a new one."""

from typing import Any

from flask import Response, request

from engine import clock, figures
from engine.landing import content, starters, store, visits
from engine.landing.store import Change
from errors import CadenciaError, InvalidInput
from models.session import transaction
from web import pages
from web.pages.frame import faults, layout, sessions
from web.pages.frame.languages import lazy_gettext
from web.pages.landing import fields

views = layout.blueprint("landing")
ENTRY = layout.Entry("landing_pages.listing", lazy_gettext("Pages"))


@views.get("/pages")
@pages.needs("campaigns", "reports")
def listing() -> Response:
    """List the landing pages by slug, with their state and the visits of the last 30 days."""
    after = request.args.get("after", "")[:64]
    with sessions.reading() as session:
        rows = store.page(session, after=after)
        counted = figures.totals_of_visits(session, [row.id for row in rows], now=clock.now())
    following = rows[-1].slug if len(rows) == store.LIMIT else None
    return layout.page("landing/list", rows=rows, counted=counted, following=following, days=visits.DAYS)


@views.get("/pages/new")
@pages.needs("campaigns")
def ask_create() -> Response:
    """Show the form of a new page."""
    return _page({})


@views.post("/pages/new")
@pages.changes("campaigns")
def create() -> Response:
    """Store a new page as a draft, filled with sample texts if that is wanted."""
    slug = request.form.get("slug", "").strip()
    values = fields.typed({"title": content.FIELDS["title"]}, request.form)
    if request.form.get("filled"):
        values |= starters.of(values["title"])
    try:
        with transaction() as session:
            store.create(session, slug, values, change=Change(sessions.account().name), now=clock.now())
    except InvalidInput as invalid:
        return _page(fields.messages(invalid), 422)
    except CadenciaError as refused:
        return _page({place: faults.sentence(message) for place, message in faults.listed(refused)}, 409)
    return layout.redirect_to("landing_page_pages.show", slug=slug)


def _page(errors: dict[str, str], status: int = 200) -> Response:
    typed: dict[str, Any] = fields.typed({"title": content.FIELDS["title"]}, request.form)
    shown = list(fields.inputs({"title": content.FIELDS["title"]}, typed))
    is_filled = request.method == "GET" or bool(request.form.get("filled"))
    return layout.page(
        "landing/new", status, inputs=shown, slug=request.form.get("slug", ""), is_filled=is_filled, errors=errors
    )
