"""The spools of this host's web processes, as far as workers drain them."""

import settings
from engine import clock
from engine.ingest import drain
from models.session import retrying


def apply_consent_changes() -> None:
    """Apply the consent changes in all spools, so that nothing is sent to a contact who has unsubscribed.

    Includes the files of living processes. Raises Unavailable if there are any and the database is unavailable.
    """
    drain.consent_changes(settings.current().spool_dir, run=retrying)


def drain_orphans() -> int:
    """Drain the spools of dead processes and return the number of their entries."""
    return drain.spools(settings.current().spool_dir, run=retrying, now=clock.now())
