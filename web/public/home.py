"""The page at `/`, and pages for paths and methods that do not exist outside the API."""

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from web.http import errors
from web.http.auth import public
from web.public import languages
from web.public.pages import page

API = "/api/"

pages = Blueprint("home", __name__, template_folder="templates")


def install(app: Flask) -> None:
    """Register the handlers of `app` for unknown paths and methods: a problem in the API, a page elsewhere."""
    app.register_error_handler(NotFound, _unknown)
    app.register_error_handler(MethodNotAllowed, _unknown)


@pages.get("/")
@public("says what this server is; holds no data")
def home() -> Response:
    """Show the purpose of this server, with links to the description of the API and the health checks."""
    return page("home", languages.of_browser())


def _unknown(error: HTTPException) -> Response:
    answer = errors.http_problem(error)
    if request.path.startswith(API):
        return answer
    status = error.code or 404
    shown = page("nothing_here", languages.of_browser(), status, status_code=status)
    if "Allow" in answer.headers:
        shown.headers["Allow"] = answer.headers["Allow"]
    return shown
