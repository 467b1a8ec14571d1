"""Shared by previews: the sender of their e-mails, and the document of their frames."""

from flask import Response

from engine.messages import compose
from web import process

# Of the e-mail in its frame: nothing runs, nothing is sent, and no other server learns that somebody looks.
BODY_POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; "
    "frame-ancestors 'self'; base-uri 'none'"
)


def in_frame(html: bytes) -> Response:
    """Return the HTML of an e-mail as the document of a frame."""
    return Response(html, headers={"Content-Security-Policy": BODY_POLICY}, content_type="text/html; charset=utf-8")


def sender() -> compose.From:
    """Return the sender of e-mails, as the settings say."""
    configured = process.current().settings
    return compose.From(configured.mail_from, configured.reply_to, configured.public_url)
