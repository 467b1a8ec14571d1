"""Requests for a pixel or a link: the event to be stored, and the common parts of the responses."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from engine.tracking.events import IncomingEvent
from web.process import Process
from web.public import landing

# One transparent pixel, GIF89a, 43 bytes.
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
HEADERS = {"Cache-Control": "no-store, private"}

_PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


def opened(process: Process, token: str, environ: Mapping[str, Any]) -> IncomingEvent:
    """Return the open event of a pixel request; NotFound for an invalid token."""
    return IncomingEvent(process.signer.read_opened(token), "opened", data=observed(process, environ))


def clicked(process: Process, token: str, environ: Mapping[str, Any]) -> tuple[IncomingEvent, str]:
    """Return the click event of a request and its target; NotFound for an invalid token."""
    click = process.signer.read_clicked(token)
    data = {"link": click.link, **observed(process, environ)}
    target = landing.with_email_id(click.target, click.email_id, process.settings.cors_origins, own=process.own_pages)
    return IncomingEvent(click.email_id, "clicked", data=data), target


def observed(process: Process, environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the event data of a request. The address is the one that rate limits use; it is not stored."""
    purpose = next((environ[name] for name in _PURPOSES if name in environ), None)
    return process.observer.observe(
        method=environ["REQUEST_METHOD"],
        address=environ.get("REMOTE_ADDR"),
        agent=environ.get("HTTP_USER_AGENT"),
        purpose=purpose,
    )
