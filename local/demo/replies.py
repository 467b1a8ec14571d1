"""Replies that reach the embedded inbox, on their way into the ledger."""

from engine import bell, clock
from engine.inbound import replies
from models.session import transaction


def record(raw: bytes) -> None:
    """Record one reply. What it raises lets the mail server say "try again later", so that none is lost."""
    with transaction() as session:
        reply = replies.record(session, raw, now=clock.now())
    if reply is not None:
        bell.ring("events")
