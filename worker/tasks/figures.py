"""Count the figures that pages show."""

from functools import partial
from time import monotonic

import settings
from engine import clock, figures
from models.session import retrying, statement


def refresh() -> None:
    """Count figures that are overdue for one time slice, each in a transaction of its own.

    Twice at once: the same figures are counted twice, and the later ones stay.
    """
    ends_at = monotonic() + settings.current().drain_slice_s
    with statement() as session:
        overdue = figures.overdue(session, now=clock.now())
    for name in overdue:
        retrying(partial(figures.refresh, name=name, now=clock.now()))
        if monotonic() > ends_at:
            return
