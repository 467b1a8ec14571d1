"""Sweeps: what keeps the product going when a ring was lost or a process died."""

from engine import bell, clock, heartbeats, upkeep
from models.session import transaction
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
