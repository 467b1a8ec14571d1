"""Recording of the replies that reach the embedded inbox."""

from engine import bell, clock
from engine.inbound import replies
from models.session import transaction


def record(raw: bytes) -> None:
    """Record one reply. If this raises, the mail server asks the sender to try again later, so no reply is lost."""
    with transaction() as session:
        reply = replies.record(session, raw, now=clock.now())
    if reply is not None:
        bell.ring("events")
