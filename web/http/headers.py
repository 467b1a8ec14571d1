"""Security headers of every response, and CORS headers for the sites in `cors_origins`."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import Headers

from settings import Settings
from web import process

View = TypeVar("View", bound=Callable[..., Any])

_CROSS_ORIGIN = "__cross_origin__"
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
PAGE = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
PREFLIGHT_S = 3_600
_DEFAULTS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", NOTHING),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)


def cross_origin(view: View) -> View:
    """Allow browsers to call this view from the sites in `cors_origins`, without credentials."""
    setattr(view, _CROSS_ORIGIN, True)
    return view


def install(app: Flask) -> None:
    """Add the headers to every response of `app`."""
    app.after_request(_secure)
    app.after_request(_share)


def add_defaults(headers: Headers, settings: Settings) -> Headers:
    """Add the security headers that a response has not set itself, and return its headers."""
    present = {name.lower() for name, _ in headers}
    for name, value in _DEFAULTS:
        if name.lower() not in present:
            headers.add(name, value)
    if settings.public_url.startswith("https://"):
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return headers


def _secure(answer: Response) -> Response:
    add_defaults(answer.headers, process.current().settings)
    return answer


def _share(answer: Response) -> Response:
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, _CROSS_ORIGIN, False):
        return answer
    answer.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    is_named = origin in process.current().settings.cors_origins
    if is_named:
        answer.headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS":
        _answer_preflight(answer, is_named=is_named)
    return answer


def _answer_preflight(answer: Response, *, is_named: bool) -> None:
    """Turn the response into the answer to a CORS preflight (Fetch standard, CORS-preflight fetch)."""
    answer.status_code = 204
    answer.set_data(b"")
    answer.headers.pop("Content-Type", None)
    answer.headers.pop("Content-Length", None)
    answer.vary.update(("Access-Control-Request-Method", "Access-Control-Request-Headers"))
    if is_named:
        answer.headers["Access-Control-Allow-Methods"] = "POST"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
        answer.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
