"""One landing page: its state, blocks, looks, visits and versions, and the actions on them."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from flask import Response, request

from engine import clock, figures
from engine.landing import published, starters, store, visits
from engine.landing.blocks import KINDS
from engine.landing.store import Change, StoredPage
from engine.landing.visits import Counts
from errors import NotFound
from models.session import transaction
from web import pages, process
from web.pages.frame import languages, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext
from web.pages.landing import fields
from web.public.landing_pages import rendering
from web.public.landing_pages.rendering import Subject

views = layout.blueprint("landing_page")

_VERSIONS = 10
_READERS = ("campaigns", "reports")
_ACTIONS = {
    "up": lazy_gettext("Block moved up"),
    "down": lazy_gettext("Block moved down"),
    "remove": lazy_gettext("Block removed"),
}


@views.get("/pages/<slug>")
@pages.needs(*_READERS)
def show(slug: str) -> Response:
    """Show a page with its blocks, its looks in two widths, its visits and its versions."""
    now = clock.now()
    with sessions.reading() as session:
        page = store.by_slug(session, slug)
        saves = store.saves(session, page.id, limit=_VERSIONS)
        counted, counted_at = figures.visits_of(session, page.id, now=now)
    by_day = {date.fromisoformat(day): Counts(*counts) for day, counts in counted["days"].items()}
    days = [now.date() - timedelta(days=ago) for ago in range(visits.DAYS - 1, -1, -1)]
    return layout.page(
        "landing/one",
        page=page,
        saves=saves,
        url=f"{process.current().own_pages}{slug}",
        kinds=fields.KIND_NAMES,
        addable=[kind for kind in KINDS if kind != "form" or page.content.form is None],
        words_of=fields.words_of,
        chart=_chart(by_day, days),
        by_source={source: Counts(*counts) for source, *counts in counted["sources"]},
        counted_at=counted_at,
        days=visits.DAYS,
    )


@views.get("/pages/<slug>/preview")
@pages.needs(*_READERS)
def preview(slug: str) -> Response:
    """Return a version as visitors would see it, for the frames of its page; nothing of it runs or is counted."""
    version = request.args.get("version", type=int)
    with sessions.reading() as session:
        page = store.by_slug(session, slug, version)
        form = published.form_of(session, page.content)
    wanted = (request.args.get("lang"), languages.current())
    language = next((each for each in wanted if each in page.content.languages), page.content.languages[0])
    rendered = rendering.render(Subject(slug, page.content, form), language, is_preview=True)
    headers = {"Content-Security-Policy": f"{rendered.policy}; sandbox", "Content-Language": language}
    return Response(rendered.filled({}), headers=headers, content_type="text/html; charset=utf-8")


@views.post("/pages/<slug>/publish")
@pages.changes("campaigns")
def publish(slug: str) -> Response:
    """Publish the version that the form names; ask first if texts of the sample are left."""
    version = request.form.get("version", type=int)
    with sessions.reading() as session:
        page = store.by_slug(session, slug, version)
    left = starters.unchanged(page.content.blocks)
    if left and not request.form.get("anyway"):
        return layout.page("landing/publish", 409, page=page, left=left, kinds=fields.KIND_NAMES)
    return _done(slug, lambda session: store.publish(session, slug, version, now=clock.now()))


@views.post("/pages/<slug>/unpublish")
@pages.changes("campaigns")
def unpublish(slug: str) -> Response:
    """Take the page offline."""
    return _done(slug, lambda session: store.unpublish(session, slug))


@views.post("/pages/<slug>/revert")
@pages.changes("campaigns")
def revert(slug: str) -> Response:
    """Save the content of an earlier version as the next one."""
    version = request.form.get("version", type=int) or 0
    change = Change(sessions.account().name, gettext("Version %(version)s again", version=version))
    return _done(slug, lambda session: store.revert(session, slug, version, change=change, now=clock.now()))


@views.post("/pages/<slug>/blocks/<int:index>/<action>")
@pages.changes("campaigns")
def arrange(slug: str, index: int, action: str) -> Response:
    """Move a block up or down, or remove it, as a new version."""

    def work(session: Any) -> StoredPage:
        page = store.by_slug(session, slug)
        blocks = list(page.content.blocks)
        if index >= len(blocks) or action not in _ACTIONS:
            raise NotFound(gettext("The page has no block at this place."))
        block = blocks.pop(index)
        if action != "remove":
            blocks.insert(max(0, index + (-1 if action == "up" else 1)), block)
        change = Change(sessions.account().name, str(_ACTIONS[action]), request.form.get("expected", ""))
        return store.save(session, slug, page.content.stored() | {"blocks": blocks}, change=change, now=clock.now())

    return _done(slug, work, anchor="blocks")


@views.get("/pages/<slug>/delete")
@pages.needs("campaigns")
def ask_delete(slug: str) -> Response:
    """Ask to delete a page."""
    with sessions.reading() as session:
        return layout.page("landing/delete", page=store.by_slug(session, slug))


@views.post("/pages/<slug>/delete")
@pages.changes("campaigns")
def delete(slug: str) -> Response:
    """Delete a page that is not published."""
    with transaction() as session:
        store.delete(session, slug)
    return layout.redirect_to("landing_pages.listing")


def _done(slug: str, work: Callable[[Any], StoredPage], anchor: str | None = None) -> Response:
    with transaction() as session:
        work(session)
    return layout.redirect_to("landing_page_pages.show", slug=slug, _anchor=anchor)


def _chart(by_day: Mapping[date, Counts], days: list[date]) -> dict[str, list[Any]]:
    counted = [by_day.get(day, Counts()) for day in days]
    return {
        "labels": [languages.day(day) for day in days],
        "views": [each.views for each in counted],
        "submissions": [each.submissions for each in counted],
        "counts": counted,
    }
