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
from web import process
from web.http.auth import public
from web.ingest import group_commit
from web.public import languages
from web.public.pages import blueprint, page

pages = blueprint("unsubscribing")


@pages.get("/u/<token>")
@pages.get("/u/<token>/<any(undo, pause, resume):_>")
@public("the signed token names the e-mail")
def ask(token: str, _: str = "") -> Response:
    """Show the page with the buttons; also for a browser that reloads the address of a POST."""
    language = _language_of(_email_of(token))
    return page("unsubscribe", language, action=url_for(".act", token=token), pause=url_for(".pause", token=token))


@pages.post("/u/<token>")
@public("the signed token names the e-mail; mail programs post without a login (RFC 8058)")
def act(token: str) -> Response:
    """Unsubscribe the reader, by the page or by the mail program's button; safe to repeat."""
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    return _change("unsubscribed", token, one_click=one_click, action=url_for(".undo", token=token))


@pages.post("/u/<token>/undo")
@public("the signed token names the e-mail")
def undo(token: str) -> Response:
    """Undo the unsubscribe."""
    return _change("resubscribed", token, action=url_for(".act", token=token))


@pages.post("/u/<token>/pause")
@public("the signed token names the e-mail")
def pause(token: str) -> Response:
    """Pause marketing e-mails for 30 days; safe to repeat."""
    unsubscribe = url_for(".act", token=token)
    return _change("paused", token, action=url_for(".resume", token=token), unsubscribe=unsubscribe)


@pages.post("/u/<token>/resume")
@public("the signed token names the e-mail")
def resume(token: str) -> Response:
    """End the pause."""
    return _change("resumed", token, action=url_for(".pause", token=token))


def _change(kind: str, token: str, *, one_click: bool = False, **links: Any) -> Response:
    """Apply the consent change, or spool it, and return the page of its kind."""
    email_id = _email_of(token)
    change = consent.change(kind, email_id, now=clock.now(), one_click=one_click)
    ingest = group_commit.current()
    try:
        ingest.run(lambda session: consent.apply(session, change))
    except Unavailable:
        ingest.spool_consent(change)
        return page(kind, languages.of_browser(), is_pending=True, **links)
    bell.ring("events")
    return page(kind, _language_of(email_id), **links)


def _email_of(token: str) -> UUID:
    return process.current().signer.read_unsubscribe(token)


def _language_of(email_id: UUID) -> str:
    """Return the language of the e-mail's contact, else of its template, else the default.

    While the database is unavailable, return the browser's language.
    """
    try:
        hints = group_commit.current().run(lambda session: outbox.language_hints(session, email_id))
    except Unavailable:
        return languages.of_browser()
    if hints is None:
        return languages.DEFAULT
    return languages.of_tag(hints.locale) or languages.of_template(hints.template) or languages.DEFAULT
