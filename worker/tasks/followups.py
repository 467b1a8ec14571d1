"""The tick of campaigns: proceed with long work, and ring for the steps that are due."""

import logging
from time import monotonic

import settings
from engine import bell, clock
from engine.campaigns import campaigns, due, enrollments
from models.session import retrying, statement
from worker.app import app

log = logging.getLogger("cadencia.followups")


@app.task(name="followups.call_due")
def call_due() -> None:
    """Proceed with long work on campaigns, ring if a step is due, and finish campaigns with nothing left to send.

    Long work goes page by page, each in a transaction of its own: steps outside their window are postponed, audiences
    are enrolled, parked e-mails of resumed campaigns become due, enrollments of cancelled ones are stopped. Rings
    before each round, so sending starts meanwhile. Without work it costs one statement.
    Twice at once: each locks its enrollments and skips those of the other; an extra ring costs nothing.
    """
    slice_ends = monotonic() + settings.current().drain_slice_s
    while True:
        work, waiting = _look()
        if waiting.is_open:
            bell.ring("campaign")
        if not (work.has_pages or waiting.is_closed) or not _next_pages():
            break
        if monotonic() > slice_ends:
            bell.ring("sequence")
            break
    if work.may_finish:
        for campaign_id in retrying(lambda session: campaigns.finish(session, now=clock.now())):
            log.info("campaign_finished campaign=%s", campaign_id)


def _look() -> tuple[campaigns.Work, due.Waiting]:
    with statement() as session:
        work = campaigns.work(session)
        return work, due.waiting(session, now=clock.now()) if work.is_running else due.Waiting(False, False)


def _next_pages() -> bool:
    """Do one page of each kind of long work; return True if more may be left."""
    postponed = retrying(lambda session: due.postpone(session, now=clock.now()))
    enrolled = retrying(enrollments.proceed)
    unparked = retrying(lambda session: campaigns.unpark(session, now=clock.now()))
    stopped = retrying(lambda session: campaigns.proceed_cancelling(session, now=clock.now()))
    return bool(postponed or enrolled or unparked or stopped)
