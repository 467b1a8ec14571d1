"""The sequence's clockwork: queues the follow-ups whose time has come."""

import logging
from time import monotonic

import settings
from engine import bell, clock
from engine.campaigns import campaigns, due
from models.session import retrying
from worker.app import app

log = logging.getLogger("cadencia.followups")


@app.task(name="followups.queue_due")
def queue_due() -> None:
    """Queue what is due, page by page, until nothing is or the time slice ends; finish campaigns that are through.

    Twice at once: each page locks its enrollments and steps over those of the other, and a step has one mail by
    constraint; so two runs share the work.
    """
    slice_ends = monotonic() + settings.current().drain_slice_s
    queued = 0
    while monotonic() < slice_ends:
        page = retrying(lambda session: due.queue_due(session, now=clock.now()))
        if not page:
            break
        bell.ring("campaign")
        queued += page
    if queued:
        log.info("followups_queued mails=%d", queued)
    for campaign_id in retrying(lambda session: campaigns.finish(session, now=clock.now())):
        log.info("campaign_finished campaign=%s", campaign_id)
