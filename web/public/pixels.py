"""The open pixel, /o/<token>.gif. `front` answers nearly all requests before they reach this view."""

from base64 import b64decode

from flask import Response, request

from web import process
from web.http.auth import public
from web.public import hits
from web.public.pages import blueprint

# One transparent pixel, GIF89a, 43 bytes.
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
HEADERS = {"Cache-Control": "no-store, private"}

pages = blueprint("pixels")


@pages.get("/o/<token>.gif")
@public("the signed token names the e-mail")
def opened(token: str) -> Response:
    """Store the open and return the pixel; a HEAD request is stored, too, and gets the same headers."""
    state = process.current()
    state.ingest.store(hits.opened(state, token, request.environ))
    return Response(GIF, headers=HEADERS, content_type="image/gif")
