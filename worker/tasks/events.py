"""Applying what came back: opens, clicks, conversions, replies, unsubscribes, bounces, complaints."""

from time import monotonic

import settings
from engine import bell, clock
from engine.engagement import reactions
from models.session import retrying
from worker import process
from worker.app import app

BATCH = 2000


@app.task(name="events.apply")
def apply() -> None:
    """Apply events for one time slice and ring again when more are waiting.

    Twice at once: each takes other events (SKIP LOCKED). Killed in the middle: a batch is one transaction, so its
    events are still waiting.
    """
    process.collect_seldom()
    ends_at, is_first = monotonic() + settings.current().drain_slice_s, True
    while retrying(lambda session: reactions.apply(session, now=clock.now(), limit=BATCH)) >= BATCH:
        process.tidy()
        is_over = monotonic() > ends_at or process.is_stopping()
        if is_first or is_over:  # at first for another child to share what waits
            bell.ring("events")
        if is_over:
            return
        is_first = False
