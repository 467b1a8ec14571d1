"""Send the e-mails that are due, by lane."""

from engine import bell
from worker import drain
from worker.app import app


def _deliver(lane: str) -> None:
    """Drain a lane for one time slice, and ring again if more is waiting, so that workers can start and stop freely."""
    if drain.drain(lane):
        bell.ring(lane)


@app.task(name="sending.deliver_transactional")
def deliver_transactional() -> None:
    """Send due e-mails of the transactional lane. Twice at once: each claims other e-mails (SKIP LOCKED)."""
    _deliver("transactional")


@app.task(name="sending.deliver_campaign")
def deliver_campaign() -> None:
    """Send due e-mails of the campaign lane. Twice at once: each claims other e-mails (SKIP LOCKED)."""
    _deliver("campaign")
