"""Hits: what a request for a pixel or a link shows of whoever made it, as it is kept."""

from collections.abc import Mapping
from typing import Any

from engine.tracking.events import IncomingEvent
from web.process import Process
from web.public import landing

_PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


def opened(process: Process, token: str, environ: Mapping[str, Any]) -> IncomingEvent:
    """The request for a pixel; NotFound when the token is none of ours."""
    return IncomingEvent(process.signer.read_opened(token), "opened", data=_observed(process, environ))


def clicked(process: Process, token: str, environ: Mapping[str, Any]) -> tuple[IncomingEvent, str]:
    """The request for a link, and where it leads; NotFound when the token is none of ours."""
    click = process.signer.read_clicked(token)
    data = {"link": click.link, **_observed(process, environ)}
    target = landing.carried(click.target, click.email_id, process.settings.cors_origins)
    return IncomingEvent(click.email_id, "clicked", data=data), target


def _observed(process: Process, environ: Mapping[str, Any]) -> dict[str, str]:
    """The caller's address is that which the rate limits see, and is not kept."""
    purpose = next((environ[name] for name in _PURPOSES if name in environ), None)
    return process.observer.observe(
        method=environ["REQUEST_METHOD"],
        address=environ.get("REMOTE_ADDR"),
        agent=environ.get("HTTP_USER_AGENT"),
        purpose=purpose,
    )
