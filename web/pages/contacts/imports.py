"""Imports of files: choose a file, and the list of imports with their counts."""

from uuid import UUID

from flask import Response, request

from engine import clock
from engine.engagement.uploads import lifecycle
from errors import InvalidInput
from models.session import transaction
from web import pages, process
from web.http import auth, bodies
from web.pages.frame import languages, layout, sessions, uploads
from web.pages.frame.faults import gettext_noop
from web.pages.frame.languages import gettext

views = layout.blueprint("imports")

# Added by nginx.conf to the address to which it sends a browser whose file it refused.
_TOO_LARGE = "size"
_LATE = gettext_noop("The file did not arrive in time. Send it over a faster connection, or split it.")


@views.get("/contacts/import")
@pages.needs("contacts")
def ask() -> Response:
    """Ask for a file, and list the imports."""
    if request.args.get("fault") == _TOO_LARGE:
        return _page(413, _too_large())
    return _page()


@views.post("/contacts/import")
@pages.changes("contacts")
@bodies.at_most("import_limit_bytes")
def upload() -> Response:
    """Store a file, and go to its preview."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return _page(422, gettext("Choose a file."))
    try:
        with transaction() as session:
            import_id = lifecycle.create(
                session, auth.caller().account_id, file.filename, uploads.spool(file), now=clock.now()
            )
    except InvalidInput:
        return _page(422, gettext("The file is empty. Choose one with a header and at least one contact."))
    return layout.redirect_to("import_pages.show", import_id=import_id)


def _too_large() -> str:
    limit = languages.number(process.current().settings.import_limit_bytes / 1_000_000)
    return str(
        gettext(
            "The file is too large: up to %(limit)s MB are accepted. Split it, or ask an operator to import it with "
            "“cadencia contacts import”.",
            limit=limit,
        )
    )


def _page(status: int = 200, fault: str = "") -> Response:
    try:
        before = UUID(request.args["before"]) if "before" in request.args else None
    except ValueError:
        before = None
    with sessions.reading() as session:
        imports = lifecycle.latest(session, before=before)
    return layout.page(
        "contacts/imports",
        status,
        imports=imports,
        fault=fault,
        is_first=before is None,
        may_follow=len(imports) == lifecycle.LISTED,
        limit_bytes=process.current().settings.import_limit_bytes,
    )


uploads.explain_refusals(views, _page, late=_LATE, too_large=_too_large)
