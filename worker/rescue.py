"""Recover the groups of dead senders: by their recorders, or after their lease if there is no recorder."""

import logging
import os
import platform
from collections import Counter
from pathlib import Path
from uuid import UUID

import settings
from engine import clock, quarantine
from engine.campaigns import advance
from engine.delivery import recorder, recovery, senders
from engine.delivery.recorder import Recording
from engine.inbound import mail_spool
from errors import Unavailable
from models.session import Session, is_invalid_input, retrying, transaction

log = logging.getLogger(__name__)

GRACE_S = 30.0  # after the end of a lease, before another host recovers the group

_failed: set[UUID] = set()  # senders whose recovery failed; each is logged once by a process


def orphans(mine: Path | None = None) -> int:
    """Recover the group of each dead sender of this host, and return their number. `mine` is the caller's recorder.

    Safe to run twice at once: a recorder's lock admits one process at a time, and recovering twice changes nothing.
    One that fails stops no other: its recorder goes into quarantine at the second failure, or stays if the database
    may succeed later.
    """
    recovered = 0
    for orphan in recorder.orphans(settings.current().recorder_dir, mine=mine):
        has_failed_before = orphan.sender_id in _failed
        error = _recover(orphan.sender_id, orphan.recording)
        if error is None:
            orphan.remove()
            recovered += 1
        elif has_failed_before and is_invalid_input(error):
            quarantine.move(orphan.path, f"cannot be settled: {type(error).__name__}")
    return recovered


def lost(session: Session) -> int:
    """Recover senders without a usable recorder here, after lease and grace, and return their number.

    `session` only reads; each recovery has transactions of its own.
    """
    folder, recovered = settings.current().recorder_dir, 0
    for sender_id in senders.overdue(session, grace_s=GRACE_S):
        path = recorder.path_of(folder, sender_id)
        if path.exists() and os.access(path, os.R_OK | os.W_OK, effective_ids=True):
            continue  # `orphans` recovers it, as soon as its owner is dead
        if _recover(sender_id, None) is None:
            quarantine.move(path, "cannot be opened")
            recovered += 1
    return recovered


def record_quarantine(session: Session) -> None:
    """Store how many files of this host are in quarantine, for `/readyz` and `cadencia status`."""
    configured = settings.current()
    mail_dir = configured.spool_dir / mail_spool.FOLDER
    folders = {"recorders": configured.recorder_dir, "spool": configured.spool_dir, "mail": mail_dir}
    quarantine.record(session, platform.node(), folders)


def _recover(sender_id: UUID, recording: Recording | None) -> Exception | None:
    """Fence the sender and settle its groups. Return the error if that failed for this sender.

    Raises Unavailable if the database is unavailable, because then it fails for all.
    """
    try:
        _fence_and_settle(sender_id, recording)
    except Unavailable:
        raise
    except Exception as error:  # one sender's fault must not stop the recovery of the others
        if sender_id not in _failed:
            _failed.add(sender_id)
            log.error("recovery_failed sender=%s error=%s", sender_id, type(error).__name__, exc_info=error)
        return error
    return None


def _fence_and_settle(sender_id: UUID, recording: Recording | None) -> None:
    """Fence the sender in a commit of its own, which waits for its last commit, and then settle its groups."""
    with transaction() as session:
        senders.fence(session, sender_id)
    counts = retrying(lambda session: _recover_groups(session, sender_id, recording))
    summary = " ".join(f"{status}={count}" for status, count in sorted(counts.items())) or "nothing=0"
    log.warning("sender_recovered sender=%s recorder=%s %s", sender_id, recording is not None, summary)


def _recover_groups(session: Session, sender_id: UUID, recording: Recording | None) -> Counter[str]:
    now = clock.now()
    settled = recovery.recover(session, sender_id, recording, now=now, moment=clock.at)
    advance.apply(session, settled, now=now)
    return Counter(email.status for email in settled)
