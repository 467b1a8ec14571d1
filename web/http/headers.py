"""Headers that every answer carries, and those that let named web sites call the tracking route."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import Headers

from settings import Settings
from web import process

View = TypeVar("View", bound=Callable[..., Any])

_CROSS = "__cross_origin__"
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
PAGE = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
PREFLIGHT_S = 3_600


def cross_origin(view: View) -> View:
    """Browsers may call this view from the sites in `cors_origins`, without credentials."""
    setattr(view, _CROSS, True)
    return view


def install(app: Flask) -> None:
    """Put the headers on every answer of `app`."""
    app.after_request(_secure)
    app.after_request(_share)


def always(known: Headers, settings: Settings) -> Headers:
    """Add to an answer's headers what it has not set itself."""
    known.setdefault("X-Content-Type-Options", "nosniff")
    known.setdefault("Content-Security-Policy", NOTHING)
    known.setdefault("Referrer-Policy", "no-referrer")
    known.setdefault("Cache-Control", "no-store")
    if settings.public_url.startswith("https://"):
        known.setdefault("Strict-Transport-Security", "max-age=31536000")
    return known


def _secure(answer: Response) -> Response:
    always(answer.headers, process.current().settings)
    return answer


def _share(answer: Response) -> Response:
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, _CROSS, False):
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
    """What a browser may send, for a site that is named (Fetch standard, CORS-preflight fetch)."""
    answer.status_code = 204
    answer.set_data(b"")
    answer.headers.pop("Content-Type", None)
    answer.headers.pop("Content-Length", None)
    answer.vary.update(("Access-Control-Request-Method", "Access-Control-Request-Headers"))
    if is_named:
        answer.headers["Access-Control-Allow-Methods"] = "POST"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
        answer.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
