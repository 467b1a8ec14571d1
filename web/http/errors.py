"""Error responses as application/problem+json (RFC 9457): views raise, this module maps the exceptions."""

import logging
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

import errors
from web.schemas.problems.problems import Problem

log = logging.getLogger(__name__)

TYPE = "application/problem+json"
RETRY_AFTER_S = 2

_STATUSES = {
    errors.PayloadTooLarge: 413,
    errors.MissingPrecondition: 428,
    errors.InvalidInput: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.InProgress: 409,
    errors.Conflict: 409,
    errors.TooOften: 429,
    errors.Unavailable: 503,
}


def install(app: Flask) -> None:
    """Register the handlers that answer every error of `app` as a problem."""
    app.register_error_handler(errors.CadenciaError, _cadencia_error)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(Exception, _unexpected)


def response_to(app: Flask, environ: dict[str, Any], error: Exception) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and content of the response that a view's error has; for a thread without a request."""
    with app.request_context(environ):
        try:
            answer = app.handle_user_exception(error)
        except Exception as unhandled:  # noqa: BLE001  # as Flask does
            answer = app.handle_exception(unhandled)
        response = app.finalize_request(answer, from_error_handler=True)
        return response.status_code, list(response.headers), response.get_data()


def problem(status: int, detail: str, *, faults: tuple[errors.Fault, ...] = ()) -> Response:
    """Return a problem response; `faults` name the fields at fault."""
    body = Problem.of(status, detail, faults).model_dump_json(exclude_none=True)
    return Response(body, status, content_type=TYPE)


def _cadencia_error(error: errors.CadenciaError) -> Response:
    status = next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), 500)
    if status == 500:
        return _unexpected(error)
    if status == 503:
        log.warning("unavailable path=%s error=%s", request.url_rule, error)
    answer = problem(status, getattr(error, "public", str(error)), faults=getattr(error, "faults", ()))
    if status == 401:
        answer.headers["WWW-Authenticate"] = _challenge()
    if status == 503 or isinstance(error, errors.InProgress):
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, errors.TooOften):
        answer.headers["Retry-After"] = str(error.wait_s)
    return answer


def _challenge() -> str:
    """Return the WWW-Authenticate challenge, without an error code if there were no credentials (RFC 6750, 3)."""
    error_code = ', error="invalid_token"' if "Authorization" in request.headers else ""
    return f'Bearer realm="cadencia"{error_code}'


def http_problem(error: HTTPException) -> Response:
    """Return Flask's error as a problem, with its headers."""
    answer = problem(error.code or 500, _in_our_words(error))
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer


def _in_our_words(error: HTTPException) -> str:
    if isinstance(error, NotFound):
        return "path: there is no such route; /docs lists all of them"
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"}))
        return f"method: {request.method} is not for this route; it has {allowed}"
    return error.description or ""


def report(error: Exception) -> None:
    """Log an error of ours with its traceback."""
    log.error("request_failed path=%s error=%s", request.url_rule, type(error).__name__, exc_info=error)


def _unexpected(error: Exception) -> Response:
    report(error)
    return problem(500, "Something went wrong on our side; it was logged.")
