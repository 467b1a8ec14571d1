"""Pictures for e-mails and pages: upload, list, show one with its address and its uses, delete."""

from uuid import UUID

from flask import Response, request
from werkzeug.datastructures import FileStorage

from engine import clock
from engine.assets import assets
from errors import Conflict, InvalidInput
from models.session import transaction
from web import pages, process
from web.http import auth, bodies
from web.pages.frame import faults, layout, sessions, uploads
from web.pages.frame.faults import gettext_noop
from web.pages.frame.languages import gettext

views = layout.blueprint("pictures")

# Added by nginx.conf to the address to which it sends a browser whose file it refused.
_TOO_LARGE = "size"
_LATE = gettext_noop("The picture did not arrive in time. Make it smaller.")


@views.get("/pictures")
@pages.needs("campaigns", "reports")
def listing() -> Response:
    """List the pictures, the newest first."""
    if request.args.get("fault") == _TOO_LARGE:
        return _page(413, _too_large())
    return _page()


@views.post("/pictures")
@pages.changes("campaigns")
@bodies.at_most("batch_limit_bytes")
def upload() -> Response:
    """Store a picture, and show it with its address."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return _page(422, gettext("Choose a picture."))
    try:
        with transaction() as session:
            asset = assets.add(
                session, _content(file), file.filename, account_id=auth.caller().account_id, now=clock.now()
            )
    except InvalidInput as invalid:
        return _page(422, gettext("The picture %(fault)s.", fault=faults.words(invalid.faults[0].message)))
    return layout.redirect_to("pictures_pages.show", digest=asset.digest)


@views.get("/pictures/<digest>")
@pages.needs("campaigns", "reports")
def show(digest: str) -> Response:
    """Show one picture, its address and its uses."""
    return _show(digest)


@views.post("/pictures/<digest>/delete")
@pages.changes("campaigns")
def remove(digest: str) -> Response:
    """Delete a picture that nothing uses."""
    try:
        with transaction() as session:
            assets.remove(session, digest, templates=process.current().settings.templates_dir)
    except Conflict as used:
        return _show(digest, 409, faults.sentences(used))
    return layout.redirect_to("pictures_pages.listing")


def _content(file: FileStorage) -> bytes:
    """Return the bytes of a file; its size is bounded by the limit of the body."""
    reader = uploads.spool(file).reader()
    return b"".join(iter(reader.read, b""))


def _too_large() -> str:
    return str(gettext("The picture is too large: at most 2 MB are accepted; make it smaller."))


def _page(status: int = 200, fault: str = "") -> Response:
    try:
        before = UUID(request.args["before"]) if "before" in request.args else None
    except ValueError:
        before = None
    with sessions.reading() as session:
        shown = assets.page(session, before=before)
    following = shown[-1].id if len(shown) == assets.LIMIT else None
    return layout.page("pictures/list", status, pictures=shown, following=following, fault=fault, before=before)


def _show(digest: str, status: int = 200, fault: str = "") -> Response:
    settings = process.current().settings
    with sessions.reading() as session:
        picture = assets.of_digest(session, digest)
        uses = assets.uses(session, picture.digest, templates=settings.templates_dir)
    url = f"{settings.public_url.rstrip('/')}{picture.path}"
    return layout.page("pictures/one", status, picture=picture, uses=uses, url=url, fault=fault)


uploads.explain_refusals(views, _page, late=_LATE, too_large=_too_large)
