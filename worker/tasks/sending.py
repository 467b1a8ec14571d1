"""Delivering what is due, lane by lane."""

from engine import bell
from worker import drain
from worker.app import app


def _deliver(lane: str) -> None:
    """Drain a lane for one time slice and ring again when more is waiting, so that workers come and go freely."""
    if drain.drain(lane):
        bell.ring(lane)


@app.task(name="sending.deliver_transactional")
def deliver_transactional() -> None:
    """Send due mails of the transactional lane. Twice at once: each takes other messages (SKIP LOCKED)."""
    _deliver("transactional")


@app.task(name="sending.deliver_campaign")
def deliver_campaign() -> None:
    """Send due mails of the campaign lane. Twice at once: each takes other messages (SKIP LOCKED)."""
    _deliver("campaign")
