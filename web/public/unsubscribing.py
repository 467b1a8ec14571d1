"""The unsubscribe page: /u/<token>. GET shows buttons, POST acts (RFC 8058): scanners fetch every address."""

from collections.abc import Callable
from uuid import UUID

from flask import Response, request, url_for

from engine import bell, clock
from engine.campaigns import consent
from engine.tracking import events
from engine.tracking.events import Arrival
from errors import Unavailable
from models.session import retrying
from web import process
from web.auth import public
from web.public import languages
from web.public.pages import blueprint, page

pages = blueprint("unsubscribing")


@pages.get("/u/<token>")
@public("the signed token names the e-mail")
def ask(token: str) -> Response:
    """The page with the buttons; changes nothing."""
    email_id = _email_of(token)
    language = languages.of_mail(email_id)
    return page("unsubscribe", language, action=url_for(".act", token=token), pause=url_for(".pause", token=token))


@pages.post("/u/<token>")
@public("the signed token names the e-mail; mail programs post without a login (RFC 8058)")
def act(token: str) -> Response:
    """Unsubscribe, by the page's button or by a mail program's own; repeated, it does no more. While the database is
    away it is kept on disk and done as soon as it is back."""
    email_id = _email_of(token)
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    now = clock.now()
    try:
        retrying(lambda session: consent.withdraw(session, email_id, now=now, one_click=one_click))
    except Unavailable:
        return _put_by(consent.withdrawal(email_id, now=now, one_click=one_click))
    bell.ring("events")
    return page("unsubscribed", languages.of_mail(email_id), action=url_for(".undo", token=token))


@pages.post("/u/<token>/undo")
@public("the signed token names the e-mail")
def undo(token: str) -> Response:
    """Take the unsubscribing back."""
    return page("resubscribed", _changed(token, consent.restore), action=url_for(".act", token=token))


@pages.post("/u/<token>/pause")
@public("the signed token names the e-mail")
def pause(token: str) -> Response:
    """No marketing mail for 30 days; repeated, it does no more."""
    language = _changed(token, consent.pause)
    return page("paused", language, action=url_for(".resume", token=token), unsubscribe=url_for(".act", token=token))


@pages.post("/u/<token>/resume")
@public("the signed token names the e-mail")
def resume(token: str) -> Response:
    """Take the pause back."""
    return page("resumed", _changed(token, consent.resume), action=url_for(".pause", token=token))


def _changed(token: str, change: Callable[..., None]) -> str:
    """Make a change of `consent` in the name of the mail's reader; the language to tell it in."""
    email_id, now = _email_of(token), clock.now()
    retrying(lambda session: change(session, email_id, now=now))
    return languages.of_mail(email_id)


def _put_by(arrival: Arrival) -> Response:
    """Whoever pressed must not have to come again; Unavailable when the disk does not take it either."""
    if not process.current().arrivals.put_by(events.entry(arrival, now=clock.now())):
        raise Unavailable("database: not reachable, and the spool does not take it")
    return page("waiting", languages.of_browser())


def _email_of(token: str) -> UUID:
    return process.current().signer.read_unsubscribe(token)
