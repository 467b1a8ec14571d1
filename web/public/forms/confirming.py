"""The page of a confirmation link, /f/confirm/<token>. Only POST confirms, as scanners fetch every link.

The page presses its button itself once it is visible and somebody moved, touched or typed, unless bot detection
classifies the visit as a machine's.
"""

from pathlib import Path
from uuid import UUID

from flask import Response, redirect, send_from_directory, url_for

import errors
from engine import bell, clock
from engine.forms import confirming, definitions, visits
from engine.forms.confirming import Situation, Visit
from models.session import retrying, transaction
from web.http import bodies, rate_limits
from web.http.auth import public
from web.public.forms import requests
from web.public.pages import blueprint, page

_STATIC = Path(__file__).parents[1] / "static"
_CACHED_S = 3_600
_BY_PAGE = b"by=page"

pages = blueprint("confirmations")
pages.register_error_handler(errors.TooOften, requests.too_often)


@pages.get("/f/confirm/<token>")
@public("the signed token names the submission")
def ask(token: str) -> Response:
    """Show the button that confirms, or a notice that nothing is left to confirm; changes nothing."""
    submission_id = requests.services().signer.read_confirmation(token)
    now = clock.now()
    with transaction() as session:
        situation = confirming.situation(session, submission_id, now=now)
        is_machine = visits.is_machine(session, situation.email_id, requests.observed(), now=now)
    return _page(situation, token, is_machine=is_machine)


@pages.post("/f/confirm/<token>")
@public("the signed token names the submission")
def confirm(token: str) -> Response:
    """Confirm the submission; safe to repeat.

    A request of the page itself counts only if bot detection does not classify it as a machine's. A repeated press,
    such as that of a double click, is answered like the first: a browser shows the last response.
    """
    submission_id = requests.services().signer.read_confirmation(token)
    rate_limits.form()
    is_by_page = bodies.raw("application/x-www-form-urlencoded", limit="body_limit_bytes") == _BY_PAGE
    if is_by_page and (pending := _machine(submission_id)):
        return _page(pending, token, is_machine=True)
    visit = Visit("page" if is_by_page else "press", requests.network())
    services, now = requests.services(), clock.now()
    situation, is_new = retrying(
        lambda session: confirming.confirm(session, submission_id, visit, services=services, now=now)
    )
    if is_new:
        bell.ring("transactional")
        bell.ring("sequence")
    elif situation.state != "confirmed":
        return _page(situation, token, is_machine=True)
    definition, language = situation.form.definition, situation.language
    if definition.redirect:
        return redirect(definition.redirect, 303)  # type: ignore[return-value]  # Flask's is Werkzeug's
    thanks = definitions.in_language(definition.thanks, language)
    return page("form_done", language, title=_title(situation), state="done", thanks=thanks)


@pages.get("/f/static/press.js")
@public("the script of the confirmation page")
def script() -> Response:
    """Return the script that presses the button; browsers cache it for an hour."""
    return send_from_directory(_STATIC, "press.js", max_age=_CACHED_S)


def _machine(submission_id: UUID) -> Situation | None:
    """Return the situation if it is pending and this visit is classified as a machine's."""
    now = clock.now()
    observed = requests.observed() | {"method": "GET"}  # the page's own request
    with transaction() as session:
        situation = confirming.situation(session, submission_id, now=now)
        is_machine = visits.is_machine(session, situation.email_id, observed, now=now)
    return situation if is_machine and situation.state == "pending" else None


def _page(situation: Situation, token: str, *, is_machine: bool) -> Response:
    language, definition = situation.language, situation.form.definition
    if situation.state != "pending":
        again = url_for("signup_forms.show", slug=definition.slug) if situation.form.is_active else None
        state = "already" if situation.state == "confirmed" else "expired"
        on = definition.redirect if state == "already" else None
        return page("form_done", language, title=_title(situation), state=state, thanks="", again=again, on=on)
    response = page(
        "form_confirm",
        language,
        title=_title(situation),
        action=url_for(".confirm", token=token),
        presses=not is_machine,
    )
    target = definitions.origin_of(definition.redirect) if definition.redirect else ""
    policy = response.headers["Content-Security-Policy"].replace("form-action 'self'", f"form-action 'self' {target}")
    response.headers["Content-Security-Policy"] = policy + ("; script-src 'self'" if not is_machine else "")
    return response


def _title(situation: Situation) -> str:
    return definitions.in_language(situation.form.definition.title, situation.language)
