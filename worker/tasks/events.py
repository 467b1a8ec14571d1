"""Apply events: opens, clicks, conversions, replies, unsubscribes, bounces and complaints."""

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
    """Apply events for one time slice, and ring again if more are waiting.

    Twice at once: each takes other events (SKIP LOCKED). If it is killed, its batch is rolled back and its events are
    still waiting.
    """
    apply_batches(BATCH)


def apply_batches(size: int) -> None:
    """Apply events in batches of this size, each in a transaction of its own."""
    process.tune_garbage_collector()
    ends_at, is_first = monotonic() + settings.current().drain_slice_s, True
    while retrying(lambda session: reactions.apply(session, now=clock.now(), limit=size)) >= size:
        process.collect_garbage()
        is_over = monotonic() > ends_at or process.stop.is_set()
        if is_first or is_over:  # after the first batch, so that another child joins in
            bell.ring("events")
        if is_over:
            return
        is_first = False
