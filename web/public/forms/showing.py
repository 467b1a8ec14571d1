"""A form: its page, its description for programs, its submissions, and the script that shows it on other sites.

Robots are kept off by a hidden field, the signed moment at which the form was shown, and limits by network and form;
nothing is loaded from elsewhere.
"""

import json
from pathlib import Path
from typing import Any

from flask import Response, redirect, request, send_from_directory

import errors
from engine import bell, clock
from engine.forms import definitions, forms, submissions
from engine.forms.definitions import CONSENT, EMAIL, STAMP, TRAP
from engine.forms.forms import StoredForm
from engine.forms.submissions import Entry
from errors import Fault, InvalidInput
from models.session import retrying, transaction
from web.http import rate_limits
from web.http.auth import public
from web.http.errors import problem
from web.http.headers import PREFLIGHT_S
from web.public.forms import drawing, requests
from web.public.pages import blueprint, page

_STATIC = Path(__file__).parents[1] / "static"
_CACHED_S = 3_600
_CORS = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": "Content-Type",
         "Access-Control-Max-Age": str(PREFLIGHT_S)}  # fmt: skip
_STAMP_FAULTS = {
    "old": "was made by another form, or more than a day ago; fetch the form again",
    "quick": "is of this moment; people need longer to fill in a form",
}

pages = blueprint("signup_forms")
pages.register_error_handler(errors.TooOften, requests.too_often)


@pages.get("/f/<slug>", provide_automatic_options=False)
@public("everybody may sign up by a form")
def show(slug: str) -> Response:
    """Show the form, or describe it to a program that accepts JSON."""
    form = _form(slug)
    if not requests.wants_json():
        return _page(form, requests.language(), requests.utm())
    origin = requests.allowed_origin(form)
    return _shared(_json(_description(form, requests.language())), origin)


@pages.route("/f/<slug>", methods=["OPTIONS"])
@public("a preflight of the browser holds no data")
def preflight(slug: str) -> Response:
    """Answer the CORS preflight of a site that may use the form."""
    response = Response(status=204)
    origin = request.headers.get("Origin", "")
    response = _shared(response, origin if origin in _form(slug).definition.origins else "")
    if "Access-Control-Allow-Origin" in response.headers:
        response.headers.update(_CORS)
    return response


@pages.post("/f/<slug>", provide_automatic_options=False)
@public("everybody may sign up by a form")
def submit(slug: str) -> Response:
    """Store a submission; the response is the same for every address. What a robot sends is answered, not stored."""
    form = _form(slug)
    origin = requests.allowed_origin(form)
    rate_limits.form()
    submitted = requests.read()
    if submitted.is_trapped:
        return _shared(_done(form, submitted.language), origin)
    try:
        _store(form, submitted)
    except InvalidInput as invalid:
        return _shared(_refused(form, submitted, invalid), origin)
    return _shared(_done(form, submitted.language), origin)


@pages.get("/f/<slug>.js")
@public("the script that shows a form on another site")
def script(slug: str) -> Response:  # noqa: ARG001  # the script reads it from its own address
    """Return the script that shows the form where it stands; browsers cache it for an hour."""
    return send_from_directory(_STATIC, "form.js", max_age=_CACHED_S)


def _store(form: StoredForm, submitted: requests.Submitted) -> None:
    """Store the submission and ring; raise InvalidInput with the faults, of which that of the stamp comes last."""
    address, values = submissions.check(form.definition, submitted.values)
    if fault := requests.stamp_fault(form, submitted.stamp):
        raise InvalidInput.of(STAMP, _STAMP_FAULTS[fault])
    rate_limits.one_form(form.definition.slug)
    entry = Entry(address, values, submitted.language, requests.page(), requests.network())
    office, now = requests.office(), clock.now()
    retrying(lambda session: submissions.store(session, form, entry, office=office, now=now))
    bell.ring("transactional")
    bell.ring("sequence")


def _form(slug: str) -> StoredForm:
    """Return a form that takes submissions; raise NotFound for any other."""
    with transaction() as session:
        form = forms.by_slug(session, slug)
    if not form.is_active:
        raise errors.NotFound("form: it takes no submissions any more")
    return form


def _done(form: StoredForm, language: str) -> Response:
    """Return the response to a submission: a redirect or thanks, or the request to confirm it."""
    definition = form.definition
    thanks = definitions.in_language(definition.thanks, language)
    is_open = definition.double_opt_in
    if requests.wants_json():
        target = None if is_open else definition.redirect
        return _json({"status": "confirm" if is_open else "done", "message": thanks or None, "redirect": target})
    if definition.redirect and not is_open:
        return redirect(definition.redirect, 303)  # type: ignore[return-value]  # Flask's is Werkzeug's
    return page(
        "form_done", language, title=drawing.title(form, language), state="asked" if is_open else "done", thanks=thanks
    )


def _refused(form: StoredForm, submitted: requests.Submitted, invalid: InvalidInput) -> Response:
    if requests.wants_json():
        return problem(422, str(invalid), faults=invalid.faults)
    codes: dict[str, str] = getattr(invalid, "codes", None) or _codes(invalid.faults)
    typed = {name: value for name, value in submitted.values.items() if isinstance(value, str)}
    # Too quick is a matter of this stamp, so it stays and grows old enough.
    stamp = submitted.stamp if requests.stamp_fault(form, submitted.stamp) != "old" else None
    return _page(form, submitted.language, typed, codes, stamp)


def _codes(faults: tuple[Fault, ...]) -> dict[str, str]:
    return {fault.field: "again" for fault in faults}


def _page(
    form: StoredForm, language: str, typed: dict[str, str], codes: dict[str, str] | None = None,
    stamp: str | None = None,
) -> Response:  # fmt: skip
    return drawing.page(form, language, typed, codes or {}, stamp or requests.fresh_stamp(form))


def _description(form: StoredForm, language: str) -> dict[str, Any]:
    return {
        "title": drawing.title(form, language),
        "language": language,
        "address": EMAIL,
        "fields": drawing.fields(form, language),
        "consent": {"name": CONSENT, "text": definitions.in_language(form.definition.consent, language)},
        "hidden": {STAMP: requests.fresh_stamp(form), TRAP: ""},
    }


def _json(value: dict[str, Any]) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), content_type="application/json")


def _shared(response: Response, origin: str) -> Response:
    """Let the pages of this origin read the response, without credentials."""
    response.vary.add("Origin")
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
    return response
