"""What is served as it is: the style sheet of the readers' pages, and the script for landing pages."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from web.http.auth import public

_FOLDER = Path(__file__).parent / "static"

pages = Blueprint("assets", __name__)


@pages.get("/style/readers.css")
@public("a style sheet holds no data")
def readers() -> Response:
    """The one style sheet; kept by browsers for an hour."""
    return send_from_directory(_FOLDER, "readers.css", max_age=3_600)


@pages.get("/track.js")
@public("a script that every visitor of a landing page loads")
def script() -> Response:
    """The script for landing pages; kept by browsers for an hour."""
    return send_from_directory(_FOLDER, "track.js", max_age=3_600)
