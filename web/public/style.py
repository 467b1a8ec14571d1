"""The style sheet of the readers' pages."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from web.auth import public

_FOLDER = Path(__file__).parent / "static"

pages = Blueprint("style", __name__)


@pages.get("/style/readers.css")
@public("a style sheet holds no data")
def readers() -> Response:
    """The one style sheet; kept by browsers for an hour."""
    return send_from_directory(_FOLDER, "readers.css", max_age=3_600)
