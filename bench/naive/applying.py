"""The naive way of applying events, as a baseline: one task per event id, each in its own transaction.

The task applies its event by the product's function, on the product's broker and with its Celery settings.
"""

import time

from celery import Celery
from sqlalchemy import text
from sqlalchemy.orm import Session

from bench.testbed.backlog import WAITING
from bench.testbed.installation import Installation, wait_until_idle
from engine import clock
from engine.engagement import reactions
from engine.tracking import pending
from engine.tracking.pending import PendingEvent
from models.session import retrying, transaction

QUEUE = "one-by-one"

app = Celery("one-by-one")
app.config_from_object("celery_config")
app.conf.update(
    task_queues={QUEUE: {"exchange": QUEUE, "routing_key": QUEUE}}, task_default_queue=QUEUE, task_routes={}
)

_TAKE = text(f"""
SELECT {pending.COLUMNS}
  FROM events WHERE id = :id AND applied_at IS NULL AND NOT held FOR NO KEY UPDATE
""")  # noqa: S608  # built from the columns of an event only
_WAITING = text("SELECT id FROM events WHERE applied_at IS NULL AND NOT held ORDER BY received_at, id")
_LEFT = text("SELECT count(*) FROM events WHERE applied_at IS NULL AND NOT held")


@app.task(name="apply_one")  # type: ignore[untyped-decorator]
def apply_one(event_id: str) -> None:
    """Apply one event, as a batch of one."""
    retrying(lambda session: _apply(session, event_id))


def _apply(session: Session, event_id: str) -> int:
    events = [PendingEvent._make(row) for row in session.execute(_TAKE, {"id": event_id}).all()]
    return reactions.apply_locked(session, events, now=clock.now())


def events_per_second(installation: Installation, children: int) -> float:
    """Apply all waiting events one by one; return the rate over the last nine tenths.

    Every task is published before the worker starts, so publishing costs the baseline nothing here.
    """
    with transaction() as session:
        waiting = [str(event_id) for event_id in session.scalars(_WAITING)]
    for event_id in waiting:
        apply_one.delay(event_id)
    options = ["-Q", QUEUE, "-c", str(children), "--without-gossip", "--without-mingle", "-l", "INFO"]
    installation.process("-m", "celery", "-A", "bench.naive.applying", "worker", *options)
    began_with = _wait_until_left(len(waiting) * 9 // 10)
    started = time.monotonic()
    wait_until_idle(WAITING, within_s=600)
    took = time.monotonic() - started
    installation.stop_workers()
    return began_with / took


def _wait_until_left(most: int) -> int:
    """Return the number of events left, as soon as it is at most `most`."""
    while True:
        with transaction() as session:
            waiting = session.scalar(_LEFT) or 0
        if waiting <= most:
            return waiting
        time.sleep(0.02)
