"""Static files of the pages: Bootstrap 5 from its wheel, our style sheet and our script.

Their addresses contain a digest of their content, so browsers keep them for a year. `VERSION` is a digest of all code
and all templates of the pages.
"""

import hashlib
from pathlib import Path

import flask_bootstrap
from flask import Blueprint, Response, send_from_directory

import errors
from web.http.auth import public

_OWN = Path(__file__).parent / "static"
_BOOTSTRAP = Path(flask_bootstrap.__file__).parent / "static" / "bootstrap5" / "css"
_FILES = {
    name: folder / name for folder, name in ((_BOOTSTRAP, "bootstrap.min.css"), (_OWN, "app.css"), (_OWN, "app.js"))
}
_YEAR_S = 31_536_000


def _path(name: str) -> str:
    return f"/app/static/{hashlib.sha256(_FILES[name].read_bytes()).hexdigest()[:16]}/{name}"


PATHS = {name: _path(name) for name in _FILES}


def _version() -> str:
    pages = Path(__file__).parents[1]
    files = sorted(path for suffix in ("py", "html", "mo") for path in pages.rglob(f"*.{suffix}"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


VERSION = _version()

views = Blueprint("app_assets", __name__)


@views.get("/app/static/<digest>/<name>")
@public("style sheets and scripts hold no data")
def asset(digest: str, name: str) -> Response:
    """Return a static file; 404 for the address of another version."""
    if PATHS.get(name) != f"/app/static/{digest}/{name}":
        raise errors.NotFound("file: there is none with this name and digest")
    response = send_from_directory(_FILES[name].parent, name, max_age=_YEAR_S)
    response.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
    return response
