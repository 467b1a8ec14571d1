"""Readers' wishes come before mail: what was asked for while the ledger was away is granted before anything is claimed.

The web processes of this host grant it, within half a second of the ledger's return and before they take in hits.
"""

import logging
from pathlib import Path
from time import monotonic, sleep

import settings
from engine import heartbeats
from engine.ingest import spool
from models.session import transaction

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
_LOOK_S = 0.02
_left: frozenset[Path] = frozenset()  # files that were waited for in vain


def await_granted() -> None:
    """Return when no wish waits in this host's spool; Unavailable while the ledger is away.

    A file that stays is waited for once, and for five seconds: it was left by a process that is no more, and goes when
    a web process is next asked for something.
    """
    global _left  # one per process is the point
    if not (_waiting() - _left):
        return
    with transaction() as session:
        heartbeats.ages(session)
    until = monotonic() + PATIENCE_S
    while waiting := _waiting() - _left:
        if monotonic() > until:
            log.warning("wishes_wait files=%d", len(waiting))
            _left |= waiting
            return
        sleep(_LOOK_S)


def _waiting() -> frozenset[Path]:
    return frozenset(spool.paths(settings.current().spool_dir, spool.CONSENT_SUFFIXES))
