"""The open pixel: /o/<token>.gif."""

from base64 import b64decode

from flask import Response, request

from engine.tracking import events
from web import process
from web.auth import public
from web.public import arrivals
from web.public.pages import blueprint

# One transparent point, GIF89a, 43 bytes.
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")

pages = blueprint("pixels")


@pages.get("/o/<token>.gif")
@public("the signed token names the e-mail")
def opened(token: str) -> Response:
    """The pixel, and the event that it was loaded. HEAD is asked by machines and tells nothing."""
    email_id = process.current().signer.read_opened(token)
    if request.method != "HEAD":
        arrivals.keep(events.Arrival(email_id, "opened"))
    return Response(GIF, headers={"Cache-Control": "no-store, private"}, content_type="image/gif")
