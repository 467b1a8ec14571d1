"""Shared parts of the public pages: the blueprint, its error pages, and rendering."""

from functools import partial

from flask import Blueprint, Response, render_template

import errors
from web import process
from web.http.headers import PAGE
from web.public import languages


def blueprint(name: str, *, unknown: str = "unknown") -> Blueprint:
    """Return a blueprint whose errors are pages in the reader's language, not problem+json.

    Its page `unknown` says that nothing is at an address: by default, that a link from an e-mail is not valid.
    """
    pages = Blueprint(name, __name__, template_folder="templates")
    pages.register_error_handler(errors.NotFound, partial(_unknown, unknown))
    pages.register_error_handler(errors.Unavailable, _unavailable)
    return pages


def page(template: str, language: str, status: int = 200, **values: object) -> Response:
    """Render a page from `templates/public/` in an available language; it loads its style sheet and the logo."""
    brand = process.current().brand
    html = render_template(f"public/{language}/{template}.html", language=language, brand=brand, **values)
    policy = f"{PAGE}; img-src {brand.logo_origin}" if brand.logo_url else PAGE
    return Response(html, status, {"Content-Security-Policy": policy}, content_type="text/html; charset=utf-8")


def _unknown(template: str, _: errors.NotFound) -> Response:
    return page(template, languages.of_browser(), 404)


def _unavailable(_: errors.Unavailable) -> Response:
    response = page("unavailable", languages.of_browser(), 503)
    response.headers["Retry-After"] = "30"
    return response
