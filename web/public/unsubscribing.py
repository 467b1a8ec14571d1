"""The unsubscribe page: /u/<token>. GET shows a button, POST acts (RFC 8058): scanners fetch every address."""

from flask import Response, request, url_for

from engine import bell, clock
from engine.campaigns import consent
from models.session import retrying
from web import process
from web.auth import public
from web.public.pages import blueprint, page

pages = blueprint("unsubscribing")


@pages.get("/u/<token>")
@public("the signed token names the e-mail")
def ask(token: str) -> Response:
    """The page with the button; changes nothing."""
    process.current().signer.read_unsubscribe(token)
    return page("unsubscribe", action=url_for(".act", token=token))


@pages.post("/u/<token>")
@public("the signed token names the e-mail; mail programs post without a login (RFC 8058)")
def act(token: str) -> Response:
    """Unsubscribe, by the page's button or by a mail program's own; repeated, it does no more."""
    email_id = process.current().signer.read_unsubscribe(token)
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    now = clock.now()
    retrying(lambda session: consent.withdraw(session, email_id, now=now, one_click=one_click))
    bell.ring("events")
    return page("unsubscribed", action=url_for(".undo", token=token))


@pages.post("/u/<token>/undo")
@public("the signed token names the e-mail")
def undo(token: str) -> Response:
    """Take it back."""
    email_id = process.current().signer.read_unsubscribe(token)
    now = clock.now()
    retrying(lambda session: consent.restore(session, email_id, now=now))
    return page("resubscribed", action=url_for(".act", token=token))
