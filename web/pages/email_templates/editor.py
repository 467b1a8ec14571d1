"""The editor: sources beside a live preview. Sources are tried without being stored; saving makes a version."""

from typing import Any

from flask import Response, request

from engine import clock
from engine.templates.versions import history, store
from engine.templates.versions.store import Change
from errors import Conflict, InvalidInput
from models.session import transaction
from web import pages
from web.http import bodies
from web.pages.email_templates import differing, fields, framing, live
from web.pages.email_templates.fields import SourceForm
from web.pages.frame import forms, layout, sessions

views = layout.blueprint("template_editor")


@views.get("/templates/<name>/edit")
@pages.needs("templates")
def ask_edit(name: str) -> Response:
    """Show the newest version of a stored template in the form."""
    with sessions.reading() as session:
        newest, content = history.version(session, name)
    return _page(name, fields.of_content(content, newest.digest), stored=newest.version)


@views.post("/templates/<name>/edit")
@bodies.at_most(live.LIMIT)
@pages.changes("templates")
def save(name: str) -> Response:
    """Store the sources as a new version, or only check them."""
    form = SourceForm()
    if "check" in request.form:
        return _page(name, form)
    if not form.validate():
        return _page(name, form, 422)
    try:
        version = _save(name, form)
    except Conflict as conflict:
        return _conflict(name, form, conflict)
    except InvalidInput as error:
        forms.show_faults(form, error, html="body", mjml="body")
        return _page(name, form, 422)
    return layout.redirect_to("template_editor_pages.ask_edit", name=name, saved=version)


@views.post("/templates/<name>/check")
@bodies.at_most(live.LIMIT)
@pages.changes("templates")
def check(name: str) -> Response:
    """Return the faults of the form's sources, or their e-mail in the inbox; stores nothing."""
    tried = live.tried(name, SourceForm())
    return layout.fragment("templates/check", name=name, draws=not tried["faults"], **tried)


@views.post("/templates/<name>/live")
@bodies.at_most(live.LIMIT)
@pages.changes("templates")
def body(name: str) -> Response:
    """Return the HTML that the sources of the form make, for the frame of the editor; stores nothing."""
    html, faults = live.document(name, SourceForm())
    if not faults:
        return framing.in_frame(html)
    response = layout.page("templates/faulty", 422, faults=faults)
    response.headers["Content-Security-Policy"] = framing.BODY_POLICY
    return response


def _save(name: str, form: SourceForm) -> int:
    content = fields.content_of(form)
    change = Change(sessions.account().id, clock.now(), form.note.data or None)
    with transaction() as session:
        return store.save(session, name, content, expected=form.expected.data or "", change=change).version


def _conflict(name: str, form: SourceForm, conflict: Conflict) -> Response:
    """Show the differences to the version that somebody saved meanwhile; the next save puts this content on top."""
    with sessions.reading() as session:
        newest, content = history.version(session, name)
    if newest.digest == form.expected.data:  # another one: there are too many versions
        raise conflict
    form.expected.data = newest.digest
    difference = differing.of(content, fields.content_of(form))
    return _page(name, form, 409, newer=newest, difference=difference)


def _page(name: str, form: SourceForm, status: int = 200, *, stored: int | None = None, **conflict: Any) -> Response:
    """Show the form; unless it is that of a stored version unchanged, a script draws its preview at once."""
    with sessions.reading() as session:
        row, _ = history.version(session, name)
        live.offer(session, name, form)
    tried = live.tried(name, form, stored=stored)
    for fault in tried["faults"]:
        if fault.part in form and not form[fault.part].errors:
            form[fault.part].errors = [live.with_line(fault)]
    saved = request.args.get("saved", type=int)
    shown = {"name": name, "row": row, "draws": not (stored or tried["faults"]), "saved": saved, "unchanged": stored}
    return layout.page("templates/edit", status, form=form, **shown, **tried, **conflict)
