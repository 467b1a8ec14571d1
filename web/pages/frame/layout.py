"""Layout of the pages: their blueprint, rendering, and errors as pages in the reader's language."""

import hashlib
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

import errors
from engine.access import accounts
from models.session import transaction
from web import process
from web.http import auth
from web.http import errors as problems
from web.pages.frame import assets, charts, faults, languages, sessions
from web.pages.frame.languages import gettext, lazy_gettext

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# Without a referrer browsers send `Origin: null` with a form, which is what another site's form would have.
_HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
_FRAGMENT_HEADERS = _HEADERS | {"Cache-Control": "private, no-cache"}
_STATUSES = {errors.NotFound: 404, errors.Forbidden: 403, errors.Conflict: 409, errors.InvalidInput: 422}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the menu; shown to accounts that may open its page."""

    endpoint: str
    title: Any

    @property
    def scopes(self) -> tuple[str, ...]:
        """Return the scopes that the page declares."""
        access = auth.access_of(current_app.view_functions[self.endpoint])
        return access.scopes if access else ()


def blueprint(name: str) -> Blueprint:
    """Return a blueprint below /app whose errors are pages and whose sessions are renewed."""
    views = Blueprint(f"{name}_pages", __name__, url_prefix="/app", template_folder="../templates")
    views.register_error_handler(sessions.SignInNeeded, _to_sign_in)
    views.register_error_handler(errors.CadenciaError, _refused)
    views.register_error_handler(HTTPException, _http_error)
    views.register_error_handler(Exception, _unexpected)
    views.after_request(sessions.renew)
    views.teardown_request(lambda _: sessions.release())
    return views


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Render a page of `templates/pages/`; browsers do not store it, so that none is left after signing out."""
    html = _rendered(template, values)
    return Response(html, status, _HEADERS, content_type="text/html; charset=utf-8")


def fragment(template: str, **values: Any) -> Response:
    """Render a part of a page that is fetched again and again; 304 if the browser has it already."""
    response = _fragment(template, values)
    response.add_etag()
    response.make_conditional(request)
    return response


def followed(template: str, content: Callable[..., Mapping[str, Any]], *subject: Hashable) -> Response:
    """Render a part that an open page fetches every few seconds; 304 without rendering if its content is the same.

    `content(*subject)` returns all that the part shows, as values whose `repr` says all of them. It may depend on the
    language and on no other property of the session: many open pages share it for a second.
    """
    key = template, languages.current(), *subject
    values, digest = process.current().recent.of(key, lambda: _digested(content(*subject)))
    tag = _tag(template, digest)
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304, headers=_FRAGMENT_HEADERS)
    else:
        response = _fragment(template, values)
    response.set_etag(tag)
    return response


def _fragment(template: str, values: Mapping[str, Any]) -> Response:
    html = _rendered(template, values)
    return Response(html, headers=_FRAGMENT_HEADERS, content_type="text/html; charset=utf-8")


def _rendered(template: str, values: Mapping[str, Any]) -> str:
    sessions.release()
    return render_template(f"pages/{template}.html", **_common(), **values)


def _digested(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    return content, hashlib.sha256(repr(content).encode()).hexdigest()


def _tag(template: str, digest: str) -> str:
    """Return a digest of all that a part depends on: this version of the pages, the session and its account, `digest`.

    The account is that of the session, and its preferences may change.
    """
    account, caller = sessions.account(), auth.caller()
    session = account.language, account.timezone, languages.current(), sorted(caller.scopes), caller.claims.csrf
    return hashlib.sha256(repr((assets.VERSION, template, session, digest)).encode()).hexdigest()[:32]


def may(*scopes: str) -> bool:
    """Return True if the signed-in account has one of these scopes."""
    caller: auth.Caller | None = g._get_current_object().get("caller")
    return caller is not None and (not scopes or any(caller.may(scope) for scope in scopes))


def _common() -> dict[str, Any]:
    token = _token()
    return {
        "account": g.get("account"),
        "assets": assets.PATHS,
        "chart_widths": charts.WIDTHS,
        "day_names": languages.day_names(),
        "token": lambda: token,
        "language": languages.current(),
        "may": may,
        "stack_chart": charts.stack,
    }


def _token() -> Markup:
    """Return the hidden field that every form with method post has."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(sessions.csrf())


def _to_sign_in(_: errors.CadenciaError) -> Response:
    if "X-Fragment" in request.headers:
        return Response(status=401)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else _page_before()
    ended = ("page" if request.method == "GET" else "form") if sessions.has_cookie() else None
    return redirect_to_path(url_for("sign_in_pages.ask", next=wanted or None, ended=ended))


def redirect_to(endpoint: str, **values: Any) -> Response:
    """Return a redirect to a page of ours, which the browser requests by GET."""
    return redirect_to_path(url_for(endpoint, **values))


def redirect_to_path(path: str) -> Response:
    """Return a redirect to this path, which the browser requests by GET."""
    response = redirect(path, 303)
    assert isinstance(response, Response)  # noqa: S101  # for its type: Flask's is Werkzeug's
    return response


def error_page(status: int, detail: str = "", words: tuple[Any, Any] | None = None) -> Response:
    """Return a page that states the error and the next step; `words` are its title and advice."""
    title, advice = words or _WORDS.get(status) or _WORDS[422 if status in range(400, 500) else 500]
    is_retried = status == HTTPStatus.SERVICE_UNAVAILABLE and request.method == "GET"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry = _BY_ITSELF if is_retried else gettext("Go back and send the form again.")
        advice = f"{advice} {retry}"
    response = page("error", status, title=title, advice=advice, detail=detail, back=_page_before())
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    if is_retried:
        response.headers["Refresh"] = "5"
    return response


def _page_before() -> str:
    """Return the path of the page of ours that led here, to be loaded again; empty if there is none."""
    with suppress(ValueError, HTTPException):  # of a referrer that is no URL, or no page
        referrer = urlsplit(request.referrer or "")
        path = referrer.path + (f"?{referrer.query}" if referrer.query else "")
        is_here = request.method == "GET" and path == request.full_path.rstrip("?")
        if referrer.netloc == request.host and not is_here and sessions.local_path(path) == path:
            endpoint, _ = current_app.url_map.bind(request.host).match(referrer.path, "GET")
            return "" if endpoint == "missing_pages.missing" else path
    return ""


_NOT_FOUND = (
    lazy_gettext("There is no such page"),
    lazy_gettext("Go on from here:"),
)
_EXPIRED = (
    lazy_gettext("This form has expired"),
    lazy_gettext("Load the page again and send the form once more; nothing was changed."),
)
_BY_ITSELF = lazy_gettext("This page tries again by itself.")
_WORDS: dict[int, tuple[Any, Any]] = {
    403: (lazy_gettext("You may not do this"), lazy_gettext("Ask for it, or go on with another page.")),
    404: _NOT_FOUND,
    405: _NOT_FOUND,
    409: (
        lazy_gettext("It has changed meanwhile"),
        lazy_gettext("Somebody else, or a worker, was faster. Look at the page again, and decide anew."),
    ),
    413: (lazy_gettext("This is too large"), lazy_gettext("Send less at once; nothing was changed.")),
    422: (lazy_gettext("Something in the form is wrong"), lazy_gettext("Go back and correct it; nothing was changed.")),
    429: (lazy_gettext("Too many attempts"), lazy_gettext("Wait a little, then try again.")),
    500: (lazy_gettext("Something went wrong on our side"), lazy_gettext("It was logged. Try again in a minute.")),
    503: (
        lazy_gettext("Unavailable for a moment"),
        lazy_gettext("A part of Cadencia does not answer. Nothing is lost."),
    ),
}


def _refused(error: errors.CadenciaError) -> Response:
    if isinstance(error, sessions.Forged):
        return error_page(403, gettext("The page was open for too long, or another site sent the form."), _EXPIRED)
    if isinstance(error, errors.Forbidden):
        return error_page(403, _permission_holders())
    if isinstance(error, errors.TooOften):
        wait = gettext("Try again in %(seconds)s seconds.", seconds=error.wait_s)
        response = error_page(429, wait)
        response.headers["Retry-After"] = str(error.wait_s)
        return response
    if isinstance(error, errors.Unavailable):
        return error_page(503)
    status = next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), None)
    return error_page(status, faults.sentences(error)) if status else _unexpected(error)


def _permission_holders() -> str:
    """Return the permissions that this page asks for, and the people who can grant them."""
    access = auth.access_of(current_app.view_functions[request.endpoint or ""])
    needed = gettext(
        "It needs one of these permissions: %(scopes)s.", scopes=", ".join(access.scopes if access else ())
    )
    admins: list[str] = []
    with suppress(errors.Unavailable), transaction() as session:
        admins = accounts.admins(session)
    if not admins:
        return str(needed)
    people = gettext("These accounts can grant it: %(names)s.", names=", ".join(admins))
    return f"{needed} {people}"


def _http_error(error: HTTPException) -> Response:
    return error_page(error.code or 500)


def _unexpected(error: Exception) -> Response:
    problems.report(error)
    return error_page(500)
