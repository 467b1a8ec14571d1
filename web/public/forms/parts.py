"""Parts of a form's submission, also by a landing page: its check, its faults, and the response at its end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, redirect
from werkzeug.exceptions import HTTPException

from engine.forms import definitions, submissions
from engine.forms.definitions import STAMP
from engine.forms.forms import StoredForm
from engine.forms.submissions import Entry
from errors import Fault, InvalidInput
from web.http import rate_limits
from web.public.forms import markup, requests
from web.public.pages import page

_STAMP_FAULTS = {
    "old": "was made by another form, or more than a day ago; fetch the form again",
    "quick": "is of this moment; people need longer to fill in a form",
}


@contextmanager
def refusals_counted() -> Iterator[None]:
    """Count a submission that the block refuses, and raise TooOften; one that is stored is counted by `sign_ups`."""
    try:
        yield
    except (InvalidInput, HTTPException):
        rate_limits.form()
        raise


def checked(form: StoredForm, submitted: requests.Submitted) -> Entry:
    """Return the submission as it is stored; raise InvalidInput with its faults, or with a stamp that is a robot's."""
    address, values = submissions.check(form.definition, submitted.values)
    if fault := requests.stamp_fault(form, submitted.stamp):
        raise InvalidInput.of(STAMP, _STAMP_FAULTS[fault])
    return Entry(address, values, submitted.language, requests.page(), requests.network())


def done(form: StoredForm, language: str) -> Response:
    """Return the response to a submission: a redirect or thanks, or the request to confirm it."""
    definition = form.definition
    thanks = definitions.in_language(definition.thanks, language)
    is_open = definition.double_opt_in
    if requests.wants_json():
        target = None if is_open else definition.redirect
        return json_response(
            {"status": "confirm" if is_open else "done", "message": thanks or None, "redirect": target}
        )
    if definition.redirect and not is_open:
        return redirect(definition.redirect, 303)  # type: ignore[return-value]  # Flask's is Werkzeug's
    return page(
        "form_done", language, title=markup.title(form, language), state="asked" if is_open else "done", thanks=thanks
    )


def shown_again(
    form: StoredForm, submitted: requests.Submitted, invalid: InvalidInput
) -> tuple[dict[str, str], dict[str, str], str | None]:
    """Return the values that were typed, the codes of their faults by field, and the stamp if it stays."""
    codes: dict[str, str] = getattr(invalid, "codes", None) or _codes(invalid.faults)
    typed = {name: value for name, value in submitted.values.items() if isinstance(value, str)}
    # A stamp that is too new is kept, so that it becomes old enough.
    return typed, codes, submitted.stamp if requests.stamp_fault(form, submitted.stamp) != "old" else None


def json_response(value: dict[str, Any]) -> Response:
    """Return a value as JSON."""
    return Response(json.dumps(value, ensure_ascii=False), content_type="application/json")


def _codes(faults: tuple[Fault, ...]) -> dict[str, str]:
    return {fault.field: "again" for fault in faults}
