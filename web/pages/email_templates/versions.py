"""The versions of a stored template: their list, the differences of two, publish, take up again, delete."""

from typing import Any

from flask import Response, request, url_for

from engine import clock
from engine.previews import trial, usage
from engine.templates.versions import history, store
from engine.templates.versions.store import Change
from errors import Conflict, InvalidInput
from models.session import transaction
from web import pages, process
from web.pages.email_templates import differing, live, shown
from web.pages.frame import faults, forms, layout, sessions
from web.pages.frame.languages import gettext

views = layout.blueprint("template_versions")

_SHOWN = 50


@views.get("/templates/<name>/versions")
@pages.needs(*shown.READERS)
def listing(name: str) -> Response:
    """List the versions, newest first."""
    before = request.args.get("before", type=int)
    with sessions.reading() as session:
        newest, _ = history.version(session, name)
        rows = history.versions(session, name, before=before, limit=_SHOWN + 1)
    following = rows[_SHOWN - 1].version if len(rows) > _SHOWN else None
    return layout.page("templates/versions", name=name, row=newest, versions=rows[:_SHOWN], following=following)


@views.get("/templates/<name>/diff")
@pages.needs(*shown.READERS)
def difference(name: str) -> Response:
    """Show the differences of two versions, without choice of the newest two."""
    first, second = request.args.get("from", type=int), request.args.get("to", type=int)
    with sessions.reading() as session:
        second = second or history.version(session, name)[0].version
        first = first or max(1, second - 1)
        _, old = history.version(session, name, first)
        _, new = history.version(session, name, second)
    between = differing.of(old, new)
    return layout.page("templates/diff", name=name, first=first, second=second, difference=between)


@views.get("/templates/<name>/versions/<int:version>/publish")
@pages.needs("templates")
def ask_publish(name: str, version: int) -> Response:
    """State the effect of publishing a version, and ask for it."""
    return _ask_publish(name, version)


@views.post("/templates/<name>/versions/<int:version>/publish")
@pages.changes("templates")
def publish(name: str, version: int) -> Response:
    """Publish the version."""
    try:
        with transaction() as session:
            store.publish(session, name, version, library=process.current().library)
    except InvalidInput:
        return _ask_publish(name, version, 422)
    return layout.redirect_to("template_versions_pages.listing", name=name)


@views.get("/templates/<name>/versions/<int:version>/revert")
@pages.needs("templates")
def ask_revert(name: str, version: int) -> Response:
    """State the effect of taking up an old version, and ask for it."""
    with sessions.reading() as session:
        newest, _ = history.version(session, name)
        history.version(session, name, version)
    note = gettext(
        "A new version %(next)s gets the content of version %(number)s, as a draft. The versions between stay.",
        next=newest.newest + 1,
        number=version,
    )
    return _ask(name, gettext("Restore version %(number)s", number=version), note)


@views.post("/templates/<name>/versions/<int:version>/revert")
@pages.changes("templates")
def revert(name: str, version: int) -> Response:
    """Save the content of an old version as the newest."""
    note = gettext("Content of version %(number)s", number=version)
    with transaction() as session:
        store.revert(session, name, version, change=Change(sessions.account().id, clock.now(), note))
    return layout.redirect_to("template_versions_pages.listing", name=name)


@views.get("/templates/<name>/delete")
@pages.needs("templates")
def ask_delete(name: str) -> Response:
    """Ask to delete the template, or list the campaigns that use it."""
    return _ask_delete(name)


@views.post("/templates/<name>/delete")
@pages.changes("templates")
def delete(name: str) -> Response:
    """Delete the template with all its versions, unless it is in use."""
    try:
        with transaction() as session:
            store.delete(session, name)
    except Conflict as conflict:
        return _ask_delete(name, faults.sentences(conflict))
    return layout.redirect_to("templates_pages.listing")


def _ask_publish(name: str, number: int, status: int = 200) -> Response:
    with sessions.reading() as session:
        version, content = history.version(session, name, number)
        uses = usage.of(session, [name]).get(name, [])
    library = process.current().library
    placed = [] if live.publishable(name, number) else trial.of(library, name, content)[1]
    note = gettext("New e-mails use version %(number)s. Campaigns that were launched keep theirs.", number=number)
    if version.published:
        note += " " + gettext("Now version %(number)s is published.", number=version.published)
    action = gettext("Publish version %(number)s", number=number)
    if placed:
        return _ask(name, action, note, status, uses=uses, faults=list(map(live.worded, placed)), form=None)
    return _ask(name, action, note, status, uses=uses)


def _ask_delete(name: str, refusal: str = "") -> Response:
    with sessions.reading() as session:
        history.version(session, name)
        uses = usage.of(session, [name]).get(name, [])
    if refusal or uses:
        note = refusal or gettext("It is in use, so it stays. Delete or cancel these campaigns, or let them finish.")
        return _ask(name, gettext("Delete"), note, 409 if refusal else 200, uses=uses, form=None)
    note = gettext("All its versions are deleted. E-mails that were sent stay as they are.")
    return _ask(name, gettext("Delete"), note, is_final=True)


def _ask(name: str, action: str, note: str, status: int = 200, **content: Any) -> Response:
    """Show a page that states the effect of an action, with its form unless `form` is None."""
    content.setdefault("form", forms.Form())
    back = url_for("template_versions_pages.listing", name=name)
    return layout.page("templates/confirm", status, name=name, action=action, note=note, back=back, **content)
