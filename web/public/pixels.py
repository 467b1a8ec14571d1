"""The open pixel, /o/<token>.gif. `front` answers nearly all requests before they reach this view."""

from flask import Response, request

from web import process
from web.http.auth import public
from web.ingest import group_commit
from web.public import hits
from web.public.pages import blueprint

pages = blueprint("pixels")


@pages.get("/o/<token>.gif")
@public("the signed token names the e-mail")
def opened(token: str) -> Response:
    """Store the open and return the pixel; a HEAD request is stored, too, and gets the same headers."""
    group_commit.current().store(hits.opened(process.current(), token, request.environ))
    return Response(hits.GIF, headers=hits.HEADERS, content_type="image/gif")
