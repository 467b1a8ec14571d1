"""The unsubscribe page: /u/<token>. GET shows buttons, POST acts (RFC 8058): scanners fetch every address.

While the database is away what was asked for is kept on disk, and done as soon as it is back: whoever pressed must not
have to come again.
"""

from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from engine import bell, clock
from engine.engagement import consent
from errors import Unavailable
from web import process
from web.http.auth import public
from web.public import languages
from web.public.pages import blueprint, page

pages = blueprint("unsubscribing")


@pages.get("/u/<token>")
@pages.get("/u/<token>/<any(undo, pause, resume):_>")
@public("the signed token names the e-mail")
def ask(token: str, _: str = "") -> Response:
    """The page with the buttons; changes nothing. Also for a browser that comes back to what a button led to."""
    language = languages.of_mail(_email_of(token))
    return page("unsubscribe", language, action=url_for(".act", token=token), pause=url_for(".pause", token=token))


@pages.post("/u/<token>")
@public("the signed token names the e-mail; mail programs post without a login (RFC 8058)")
def act(token: str) -> Response:
    """Unsubscribe, by the page's button or by a mail program's own; repeated, it does no more."""
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    return _done("unsubscribed", token, one_click=one_click, action=url_for(".undo", token=token))


@pages.post("/u/<token>/undo")
@public("the signed token names the e-mail")
def undo(token: str) -> Response:
    """Take the unsubscribing back."""
    return _done("resubscribed", token, action=url_for(".act", token=token))


@pages.post("/u/<token>/pause")
@public("the signed token names the e-mail")
def pause(token: str) -> Response:
    """No marketing mail for 30 days; repeated, it does no more."""
    unsubscribe = url_for(".act", token=token)
    return _done("paused", token, action=url_for(".resume", token=token), unsubscribe=unsubscribe)


@pages.post("/u/<token>/resume")
@public("the signed token names the e-mail")
def resume(token: str) -> Response:
    """Take the pause back."""
    return _done("resumed", token, action=url_for(".pause", token=token))


def _done(kind: str, token: str, *, one_click: bool = False, **links: Any) -> Response:
    """Grant the reader's wish, now or as soon as it can be, and tell which: the page of its kind."""
    email_id = _email_of(token)
    wished = consent.change(kind, email_id, now=clock.now(), one_click=one_click)
    ingest = process.current().ingest
    try:
        ingest.run(lambda session: consent.apply(session, wished))
    except Unavailable:
        ingest.spool_consent(wished)
        return page(kind, languages.of_browser(), waits=True, **links)
    bell.ring("events")
    return page(kind, languages.of_mail(email_id), **links)


def _email_of(token: str) -> UUID:
    return process.current().signer.read_unsubscribe(token)
