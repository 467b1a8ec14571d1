"""Recording of the replies and bounces that reach the embedded inbox."""

from engine import clock
from engine.inbound import incoming
from models.session import retrying


def record(raw: bytes) -> None:
    """Record one message. If this raises, the mail server asks the sender to try again later, so no message is lost."""
    incoming.handle(raw, "reply", run=retrying, now=clock.now())
