"""Ring for the campaign steps that are due."""

import logging
from time import monotonic

import settings
from engine import bell, clock
from engine.campaigns import campaigns, due
from models.session import retrying
from worker.app import app

log = logging.getLogger("cadencia.followups")


@app.task(name="followups.call_due")
def call_due() -> None:
    """Postpone steps outside their window, ring if a step is due, and finish campaigns that have nothing left to send.

    Twice at once: each locks its enrollments and skips those of the other; an extra ring costs nothing.
    """
    slice_ends = monotonic() + settings.current().drain_slice_s
    while monotonic() < slice_ends and retrying(lambda session: due.postpone(session, now=clock.now())):
        pass
    if retrying(lambda session: due.is_waiting(session, now=clock.now())):
        bell.ring("campaign")
    for campaign_id in retrying(lambda session: campaigns.finish(session, now=clock.now())):
        log.info("campaign_finished campaign=%s", campaign_id)
