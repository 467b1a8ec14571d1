"""Sweeps: what keeps the product going when a ring was lost or a process died."""

from time import monotonic

import settings
from engine import bell, clock, heartbeats, upkeep
from engine.tracking import retention
from models.session import retrying, transaction
from worker import process, rescue
from worker.app import app


@app.task(name="upkeep.sweep")
def sweep() -> None:
    """Rescue what the dead left and ring for work nobody rang for. Twice at once: the second finds nothing to do."""
    rescue.orphans(process.own_recorder())
    rescue.lost()
    with transaction() as session:
        upkeep.settle_doubts(session, now=clock.now())
        waiting = upkeep.bells(session, now=clock.now())
        heartbeats.beat(session, "sweep")
    for each in waiting:
        bell.ring(each)


@app.task(name="upkeep.tidy")
def tidy() -> None:
    """Throw away what is past its keeping time. Twice at once: rows are deleted once."""
    with transaction() as session:
        upkeep.tidy(session)
    _prune_events()


def _prune_events() -> None:
    """In short transactions, for one time slice; the next run goes on."""
    months, ends_at = settings.current().events_keep_months, monotonic() + settings.current().drain_slice_s
    if not months:
        return
    with transaction() as session:
        retention.set_horizon(session, retention.since(clock.now(), months))
    while retrying(retention.prune) and monotonic() < ends_at:
        pass
