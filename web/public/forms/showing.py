"""A form: its page, its description for programs, its submissions, and the script that shows it on other sites.

Robots are kept off by a hidden field, the signed moment at which the form was shown, and limits by network and form;
nothing is loaded from elsewhere.
"""

from pathlib import Path
from typing import Any

from flask import Response, request, send_from_directory

import errors
from engine.forms import definitions
from engine.forms.definitions import CONSENT, EMAIL, STAMP, TRAP
from engine.forms.forms import StoredForm
from errors import InvalidInput
from web.http import rate_limits
from web.http.auth import public
from web.http.errors import problem
from web.http.headers import PREFLIGHT_S
from web.public.forms import drawing, form_cache, markup, parts, requests, sign_ups, views
from web.public.pages import blueprint

_STATIC = Path(__file__).parents[1] / "static"
_CACHED_S = 3_600
_CORS = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": "Content-Type",
         "Access-Control-Max-Age": str(PREFLIGHT_S)}  # fmt: skip

pages = blueprint("signup_forms", unknown="no_form")
pages.register_error_handler(errors.TooOften, requests.too_often)


@pages.get("/f/<slug>", provide_automatic_options=False)
@public("everybody may sign up by a form")
def show(slug: str) -> Response:
    """Show the form, or describe it to a program that accepts JSON."""
    form = form_cache.current().active(slug)
    if not requests.wants_json():
        views.count(form)
        return _page(form, requests.language(), requests.utm())
    origin = requests.allowed_origin(form)
    views.count(form)
    return _shared(parts.json_response(_description(form, requests.language())), origin)


@pages.route("/f/<slug>", methods=["OPTIONS"])
@public("a preflight of the browser holds no data")
def preflight(slug: str) -> Response:
    """Answer the CORS preflight of a site that may use the form."""
    response = Response(status=204)
    origin = request.headers.get("Origin", "")
    response = _shared(response, origin if origin in form_cache.current().active(slug).definition.origins else "")
    if "Access-Control-Allow-Origin" in response.headers:
        response.headers.update(_CORS)
    return response


@pages.post("/f/<slug>", provide_automatic_options=False)
@public("everybody may sign up by a form")
def submit(slug: str) -> Response:
    """Store a submission; the response is the same for every address. A robot's submission is answered, not stored."""
    form = form_cache.current().active(slug)
    origin = requests.allowed_origin(form)
    with parts.refusals_counted():
        submitted = requests.read()
    response = parts.done(form, submitted.language)
    if submitted.is_trapped:
        rate_limits.form()
        return _shared(response, origin)
    try:
        with parts.refusals_counted():
            entry = parts.checked(form, submitted)
    except InvalidInput as invalid:
        return _shared(_refused(form, submitted, invalid), origin)
    sign_ups.store(form, entry)
    return _shared(response, origin)


@pages.get("/f/<slug>.js")
@public("the script that shows a form on another site")
def script(slug: str) -> Response:  # noqa: ARG001  # the script reads it from its own address
    """Return the script that shows the form where it stands; browsers cache it for an hour."""
    return send_from_directory(_STATIC, "form.js", max_age=_CACHED_S)


def _refused(form: StoredForm, submitted: requests.Submitted, invalid: InvalidInput) -> Response:
    if requests.wants_json():
        return problem(422, str(invalid), faults=invalid.faults)
    return _page(form, submitted.language, *parts.shown_again(form, submitted, invalid))


def _page(
    form: StoredForm, language: str, typed: dict[str, str], codes: dict[str, str] | None = None,
    stamp: str | None = None,
) -> Response:  # fmt: skip
    return drawing.page(form, language, typed, codes or {}, stamp or requests.fresh_stamp(form))


def _description(form: StoredForm, language: str) -> dict[str, Any]:
    return {
        "title": markup.title(form, language),
        "language": language,
        "address": EMAIL,
        "fields": markup.fields(form, language),
        "consent": {"name": CONSENT, "text": definitions.in_language(form.definition.consent, language)},
        "hidden": {STAMP: requests.fresh_stamp(form), TRAP: ""},
    }


def _shared(response: Response, origin: str) -> Response:
    """Let the pages of this origin read the response, without credentials."""
    response.vary.add("Origin")
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
    return response
