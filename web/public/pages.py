"""What the readers' pages have in common: a blueprint with its answers to a bad token and to an outage."""

from flask import Blueprint, Response, render_template

import errors
from web.http.headers import PAGE
from web.public import languages


def blueprint(name: str) -> Blueprint:
    """A blueprint of pages in the reader's language, for people who never heard of the API."""
    made = Blueprint(name, __name__, template_folder="templates")
    made.register_error_handler(errors.NotFound, _unknown)
    made.register_error_handler(errors.Unavailable, _away)
    return made


def page(template: str, language: str, status: int = 200, **values: object) -> Response:
    """A page from `templates/public/` in a language shipped; it runs no script and loads nothing but its style."""
    html = render_template(f"public/{language}/{template}.html", language=language, **values)
    return Response(html, status, {"Content-Security-Policy": PAGE}, content_type="text/html; charset=utf-8")


def _unknown(_: errors.NotFound) -> Response:
    return page("unknown", languages.of_browser(), 404)


def _away(_: errors.Unavailable) -> Response:
    answer = page("away", languages.of_browser(), 503)
    answer.headers["Retry-After"] = "30"
    return answer
