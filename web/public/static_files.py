"""Static files: the style sheet of the public pages, and the script for landing pages."""

from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

from engine.templates.brand import Brand
from web import process
from web.http.auth import public

_FOLDER = Path(__file__).parent / "static"
_READERS = (_FOLDER / "readers.css").read_text("utf-8")
_CACHED_S = 3_600

pages = Blueprint("static_files", __name__)


@pages.get("/style/readers.css")
@public("a style sheet holds no data")
def readers() -> Response:
    """Return the style sheet with the colours of the brand; browsers cache it for an hour."""
    response = Response(_colors(process.current().brand) + _READERS, content_type="text/css; charset=utf-8")
    response.cache_control.max_age = _CACHED_S
    response.add_etag()
    response.make_conditional(request)
    return response


@pages.get("/track.js")
@public("every visitor of a landing page loads the script")
def script() -> Response:
    """Return the script for landing pages; browsers cache it for an hour."""
    return send_from_directory(_FOLDER, "track.js", max_age=_CACHED_S)


def _colors(brand: Brand) -> str:
    light = f"--mark: {brand.color}; --on-mark: {brand.text_on(brand.color)}; --link: {brand.link_color};"
    dark = f"--mark: {brand.dark_color}; --on-mark: {brand.text_on(brand.dark_color)}; --link: {brand.dark_color};"
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
