"""Uploaded pictures: /a/<digest>.<extension>, for e-mails and pages."""

from functools import lru_cache
from time import monotonic

from flask import Response, request

from engine.assets import assets, pictures
from errors import NotFound
from models.session import transaction
from web.http.auth import public
from web.public.pages import blueprint

_YEAR_S = 31_536_000
_HELD_S = 60  # a removed picture is gone after this time
_HELD = 16  # pictures in memory, at most 32 MB

pages = blueprint("pictures")


@pages.get("/a/<digest>.<extension>")
@public("readers of e-mails and pages see the pictures in them")
def show(digest: str, extension: str) -> Response:
    """Return a picture, which browsers keep for a year: another picture has another address."""
    if extension not in pictures.FORMATS:
        raise NotFound("asset: there is none with this extension")
    octets = _content(digest, extension, int(monotonic() // _HELD_S))
    response = Response(octets, content_type=pictures.FORMATS[extension])
    response.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
    response.set_etag(digest)
    response.make_conditional(request)
    return response


@lru_cache(maxsize=_HELD)
def _content(digest: str, extension: str, _period: int) -> bytes:
    with transaction() as session:
        return assets.content(session, digest, extension)
