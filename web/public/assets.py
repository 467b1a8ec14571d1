"""Static files: the style sheet of the public pages, and the script for landing pages."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from web.http.auth import public

_FOLDER = Path(__file__).parent / "static"

pages = Blueprint("assets", __name__)


@pages.get("/style/readers.css")
@public("a style sheet holds no data")
def readers() -> Response:
    """Return the style sheet; browsers cache it for an hour."""
    return send_from_directory(_FOLDER, "readers.css", max_age=3_600)


@pages.get("/track.js")
@public("every visitor of a landing page loads the script")
def script() -> Response:
    """Return the script for landing pages; browsers cache it for an hour."""
    return send_from_directory(_FOLDER, "track.js", max_age=3_600)
