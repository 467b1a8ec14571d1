"""Upkeep, started by ticks: recover from lost rings and dead processes, delete expired rows."""

from functools import lru_cache
from time import monotonic

import settings
from engine import bell, clock, heartbeats, upkeep
from engine.forms import pending
from engine.forms.services import FormServices
from engine.tracking import retention
from models.session import retrying, statement, transaction
from worker import process, rescue, spools


def sweep() -> None:
    """Recover dead senders, drain the spools of dead web processes and of mail, end doubt, and ring for waiting work.

    Twice at once: the second finds nothing to do.
    """
    rescue.orphans(process.own_recorder())
    spools.drain_orphans()
    spools.drain_mail()
    with statement() as session:  # each of these statements is a transaction of its own
        rescue.lost(session)
        upkeep.settle_doubts(session, now=clock.now())
        waiting = upkeep.bells(session, now=clock.now())
        rescue.record_quarantine(session)
        heartbeats.beat(session, "sweep")
    for name in waiting:
        bell.ring(name)


def tidy() -> None:
    """Delete rows past their retention; remind of sign-ups. Twice at once: each row is deleted or reminded of once."""
    with transaction() as session:
        upkeep.tidy(session)
        retention.erase_late(session, now=clock.now())
    spools.remove_unfinished_mail()
    _prune_events()
    _proceed_with_forms()


def _proceed_with_forms() -> None:
    """Remind of sign-ups that wait for their confirmation, expire old ones, and erase data that nothing needs."""
    ends_at = monotonic() + settings.current().drain_slice_s
    if pending.proceed(retrying, services=_services(), now=clock.now(), ends_at=ends_at):
        bell.ring("transactional")


@lru_cache(maxsize=1)
def _services() -> FormServices:
    return FormServices.configured(settings.current())


def _prune_events() -> None:
    """Delete expired events in short transactions for one time slice; the next run continues."""
    months, ends_at = settings.current().events_keep_months, monotonic() + settings.current().drain_slice_s
    if not months:
        return
    with transaction() as session:
        retention.set_horizon(session, retention.since(clock.now(), months))
    while retrying(retention.prune) and monotonic() < ends_at:
        pass
