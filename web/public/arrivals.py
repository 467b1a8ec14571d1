"""What a reader's mail program or browser tells us: kept in the ledger, and never in the reader's way."""

import logging

from engine import bell, clock
from engine.tracking import events
from errors import Unavailable
from models import ids
from models.session import transaction

log = logging.getLogger(__name__)


def keep(arrival: events.Arrival) -> None:
    """Store the event. While the database is away it is lost, with a warning: the reader goes on all the same."""
    try:
        with transaction() as session:
            events.record(session, [arrival], now=clock.now(), skip_unknown=True)
    except Unavailable:
        log.warning("event_lost type=%s email=%s", arrival.event_type, ids.public(arrival.email_id))
        return
    bell.ring("events")
