"""What the readers' pages have in common: a blueprint with its answers to a bad token and to an outage."""

from flask import Blueprint, Response, render_template

import errors
from web.headers import PAGE


def blueprint(name: str) -> Blueprint:
    """A blueprint of pages in Spanish, for people who never heard of the API."""
    made = Blueprint(name, __name__, template_folder="templates")
    made.register_error_handler(errors.NotFound, _unknown)
    made.register_error_handler(errors.Unavailable, _away)
    return made


def page(template: str, status: int = 200, **values: str) -> Response:
    """A page from `templates/public/`; it runs no script and loads nothing but its style."""
    html = render_template(f"public/{template}.html", **values)
    return Response(html, status, {"Content-Security-Policy": PAGE}, content_type="text/html; charset=utf-8")


def _unknown(_: errors.NotFound) -> Response:
    return page("unknown", 404)


def _away(_: errors.Unavailable) -> Response:
    answer = page("away", 503)
    answer.headers["Retry-After"] = "30"
    return answer
