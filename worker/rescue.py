"""Recover the groups of dead senders: by their recorders, or after their lease if there is no recorder."""

import logging
from collections import Counter
from pathlib import Path
from uuid import UUID

import settings
from engine import clock
from engine.campaigns import advance
from engine.delivery import recorder, recovery, senders
from engine.delivery.recorder import Recording
from models.session import Session, retrying, transaction

log = logging.getLogger(__name__)

GRACE_S = 30.0  # after the end of a lease, before another host recovers the group


def orphans(mine: Path | None = None) -> int:
    """Recover the group of each dead sender of this host, and return their number. `mine` is the caller's recorder.

    Safe to run twice at once: a recorder's lock admits one process at a time, and recovering twice changes nothing.
    """
    recovered = 0
    for orphan in recorder.orphans(settings.current().recorder_dir, mine=mine):
        _recover(recorder.sender_of(orphan.path), orphan.recording)
        orphan.remove()
        recovered += 1
    return recovered


def lost() -> int:
    """Recover senders that have no recorder here, after lease and grace, and return their number."""
    folder = settings.current().recorder_dir
    here = {recorder.sender_of(path) for path in folder.glob("*.rec")} if folder.exists() else set()
    with transaction() as session:
        overdue = [sender for sender in senders.overdue(session, grace_s=GRACE_S) if sender not in here]
    for sender_id in overdue:
        _recover(sender_id, None)
    return len(overdue)


def _recover(sender_id: UUID, recording: Recording | None) -> None:
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
