"""The unsubscribe page, /u/<token>. Only POST changes anything (RFC 8058), as scanners fetch every link.

While the database is unavailable, consent changes are spooled and applied later, so that no reader has to come back.
"""

from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from engine import bell, clock
from engine.delivery import outbox
from engine.engagement import consent
from errors import Unavailable
from models.email import TEST
from web import process
from web.http.auth import public
from web.ingest import group_commit
from web.public import languages
from web.public.pages import blueprint, page

pages = blueprint("unsubscribing")

# The view that undoes a change, by its kind.
_OPPOSITES = {"unsubscribed": ".undo", "resubscribed": ".act", "paused": ".resume", "resumed": ".pause"}


@pages.get("/u/<token>")
@pages.get("/u/<token>/<any(undo, pause, resume):_>")
@public("the signed token names the e-mail")
def ask(token: str, _: str = "") -> Response:
    """Show the situation and its buttons; also for a browser that reloads the address of a POST."""
    email_id = _email_of(token)
    reader = _reader(email_id)
    language = _language(reader)
    if reader and reader.has_unsubscribed:
        return page("unsubscribed", language, **_links("unsubscribed", token))
    if reader and reader.paused_until and reader.paused_until > clock.now():
        return page("paused", language, until=languages.day(reader.paused_until, language), **_links("paused", token))
    return page("unsubscribe", language, action=url_for(".act", token=token), pause=url_for(".pause", token=token))


@pages.get(f"/u/{TEST}")
@public("it says the same to everybody and changes nothing")
def explain_test() -> Response:
    """Explain why the unsubscribe link of a test e-mail unsubscribes nobody."""
    return page("test", languages.of_browser())


@pages.post("/u/<token>")
@public("the signed token names the e-mail; mail programs post without a login (RFC 8058)")
def act(token: str) -> Response:
    """Unsubscribe the reader, by the page or by the mail program's button; safe to repeat."""
    return _change("unsubscribed", token, one_click=request.form.get("List-Unsubscribe") == "One-Click")


@pages.post("/u/<token>/undo")
@public("the signed token names the e-mail")
def undo(token: str) -> Response:
    """Undo the unsubscribe."""
    return _change("resubscribed", token)


@pages.post("/u/<token>/pause")
@public("the signed token names the e-mail")
def pause(token: str) -> Response:
    """Pause marketing e-mails for 30 days; safe to repeat."""
    return _change("paused", token)


@pages.post("/u/<token>/resume")
@public("the signed token names the e-mail")
def resume(token: str) -> Response:
    """End the pause."""
    return _change("resumed", token)


def _change(kind: str, token: str, *, one_click: bool = False) -> Response:
    """Apply the consent change, or spool it, and return the page of its kind."""
    email_id = _email_of(token)
    change = consent.change(kind, email_id, now=clock.now(), one_click=one_click)
    ingest = group_commit.current()
    links = _links(kind, token)
    try:
        ingest.run(lambda session: consent.apply(session, change))
    except Unavailable:
        ingest.spool_consent(change)
        return page(kind, languages.of_browser(), is_pending=True, **links)
    bell.ring("events")
    reader = _reader(email_id)
    language = _language(reader)
    until = languages.day(reader.paused_until, language) if reader and reader.paused_until else ""
    return page(kind, language, until=until, **links)


def _links(kind: str, token: str) -> dict[str, Any]:
    """Return the addresses of the buttons on the page of a kind of change."""
    links = {"action": url_for(_OPPOSITES[kind], token=token)}
    return links | {"unsubscribe": url_for(".act", token=token)} if kind == "paused" else links


def _email_of(token: str) -> UUID:
    return process.current().signer.read_unsubscribe(token)


def _reader(email_id: UUID) -> outbox.Reader | None:
    """Return the reader of the e-mail; None while the database is unavailable or the e-mail has no row yet."""
    try:
        return group_commit.current().run(lambda session: outbox.reader(session, email_id))
    except Unavailable:
        return None


def _language(reader: outbox.Reader | None) -> str:
    """Return the language of the contact, else of the e-mail's template, else the browser's if nothing is known."""
    if reader is None:
        return languages.of_browser()
    return (
        languages.of_tag(reader.locale)
        or languages.of_template(reader.template, reader.template_version)
        or languages.DEFAULT
    )
