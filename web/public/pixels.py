"""The open pixel: /o/<token>.gif. Nearly always answered before it comes here, by `front`."""

from base64 import b64decode

from flask import Response, request

from web import process
from web.http.auth import public
from web.public import hits
from web.public.pages import blueprint

# One transparent point, GIF89a, 43 bytes.
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
HEADERS = {"Cache-Control": "no-store, private"}

pages = blueprint("pixels")


@pages.get("/o/<token>.gif")
@public("the signed token names the e-mail")
def opened(token: str) -> Response:
    """The pixel, and the event that it was loaded; HEAD gets the same headers and is kept as well."""
    owned = process.current()
    owned.ingest.store(hits.opened(owned, token, request.environ))
    return Response(GIF, headers=HEADERS, content_type="image/gif")
