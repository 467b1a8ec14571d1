"""Requests to a form: its values from a page or from a program, the stamp, and the origin of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Response, request

from engine.forms import definitions, signer
from engine.forms.definitions import LANGUAGE, LANGUAGES, STAMP, TRAP
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from errors import Forbidden, InvalidInput, TooOften
from web import process
from web.http import bodies
from web.http.errors import problem
from web.public import hits, languages, pages
from web.public.forms import form_cache

_JSON, _PAGE = "application/json", "application/x-www-form-urlencoded"
_PARTS_MAX = 100  # twenty fields and our own; a body with more is no form of ours


@dataclass(frozen=True, slots=True)
class Submitted:
    """The values of a request, without our own: the stamp, the trap and the language."""

    values: Mapping[str, object]
    stamp: str
    is_trapped: bool
    language: str


def services() -> FormServices:
    """Return the services of forms in this process."""
    return form_cache.current().services


def wants_json() -> bool:
    """Return True for a program or the script of another site, False for a browser that shows a page."""
    if request.method == "POST":
        return bool(request.mimetype == _JSON)
    return request.accept_mimetypes.best_match(("text/html", _JSON)) == _JSON


def read() -> Submitted:
    """Return the values of a body, as JSON or from a form; raise InvalidInput if it cannot be a submission."""
    data = bodies.raw(_JSON, _PAGE, limit="body_limit_bytes")
    values = _object(bodies.parse(data)) if wants_json() else _pairs(data)
    own = {name: str(values.pop(name, "") or "") for name in (STAMP, TRAP, LANGUAGE)}
    return Submitted(values, own[STAMP], bool(own[TRAP]), own[LANGUAGE] if own[LANGUAGE] in LANGUAGES else language())


def language() -> str:
    """Return the language that the address asks for, else the browser's."""
    wanted: str = request.args.get(LANGUAGE, "") if request.query_string else ""
    return wanted if wanted in LANGUAGES else languages.of_browser()


def utm() -> dict[str, str]:
    """Return the UTM parameters of the address."""
    return {name: request.args[name][: definitions.UTM_CHARS] for name in definitions.UTM if request.args.get(name)}


def stamp_fault(form: StoredForm, stamp: str) -> str | None:
    """Return `quick` for a form that was filled in too quickly, `old` for one shown too long ago, or not by us."""
    shown_at = services().signer.stamped_at(form.id, stamp)
    age = None if shown_at is None else datetime.now(UTC) - shown_at
    if age is None or age > signer.TOO_OLD:
        return "old"
    return "quick" if age < signer.TOO_QUICK else None


def fresh_stamp(form: StoredForm) -> str:
    """Return a stamp of this moment."""
    return services().signer.stamp(form.id, datetime.now(UTC))


def allowed_origin(form: StoredForm) -> str:
    """Return the origin of a request from another site that may use the form, else "". Raise Forbidden for others.

    A page without a referrer, as ours, has the origin `null`.
    """
    origin: str = request.environ.get("HTTP_ORIGIN", "")  # Werkzeug's mapping raises an exception for an absent header
    if origin in ("", "null"):
        return ""
    if origin in (services().origin, definitions.origin_of(request.host_url)):
        return ""
    if origin not in form.definition.origins:
        raise Forbidden("Origin: this site is not one of the `origins` of the form")
    return origin


def page() -> str:
    """Return the address of the page with the form, without its query, which may hold personal data."""
    source = request.environ.get("HTTP_REFERER") or request.environ.get("HTTP_ORIGIN") or "null"
    if source == "null":  # the page is our own; `base_url` costs as much as the check of a submission
        source = f"{request.scheme}://{request.host}{request.path}"
    try:
        parts = urlsplit(source)
    except ValueError:
        return ""
    path = "" if "@" in parts.path else parts.path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}".replace("\0", "")


def network() -> str:
    """Return the form of the caller's network that is stored."""
    seen = observed()
    return seen.get("prefix") or seen["network"]


def observed() -> dict[str, str]:
    """Return the description of this request for bot detection."""
    return hits.observed(process.current(), request.environ)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > _PARTS_MAX:
        raise InvalidInput.of("body", f"give an object with up to {_PARTS_MAX} fields and their values")
    if nested := [name for name, each in value.items() if isinstance(each, dict | list)]:
        raise InvalidInput.of(nested[0][:50], "give a text")
    return value


def _pairs(data: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_PARTS_MAX, errors="strict")
    except ValueError:  # also of UTF-8
        raise InvalidInput.of("body", f"give up to {_PARTS_MAX} fields, encoded as UTF-8") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        raise InvalidInput.of("body", "has a field twice; give each once")
    return values


def too_often(error: TooOften) -> Response:
    """Return the response to too many submissions: a page for browsers, a problem for programs."""
    response = problem(429, str(error))
    if not wants_json():
        response = pages.page("form_done", language(), 429, title="", state="later", thanks="")
    response.headers["Retry-After"] = str(error.wait_s)
    return response
