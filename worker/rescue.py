"""Taking over what dead senders left, by their recorders or, where there is none, after their lease."""

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

GRACE_S = 30.0  # past the end of a lease, before anyone but the sender's own host touches its messages


def orphans(mine: Path | None = None) -> int:
    """Sort the group in hand of every dead sender of this host; returns how many senders. Safe to run twice
    at once: the recorder's lock lets one process at a time sort it, and sorting twice changes nothing."""
    rescued = 0
    for orphan in recorder.orphans(settings.current().recorder_dir, mine=mine):
        _recover(recorder.sender_of(orphan.path), orphan.recording)
        orphan.remove()
        rescued += 1
    return rescued


def lost() -> int:
    """Put in doubt what senders without a recorder here left open past lease and grace; returns how many."""
    folder = settings.current().recorder_dir
    here = {recorder.sender_of(path) for path in folder.glob("*.rec")} if folder.exists() else set()
    with transaction() as session:
        overdue = [sender for sender in senders.overdue(session, grace_s=GRACE_S) if sender not in here]
    for sender_id in overdue:
        _recover(sender_id, None)
    return len(overdue)


def _recover(sender_id: UUID, recording: Recording | None) -> None:
    """Fence first, in a commit of its own: it waits for a commit of the dead process that may still be running."""
    with transaction() as session:
        senders.fence(session, sender_id)
    counts = retrying(lambda session: _sort(session, sender_id, recording))
    told = " ".join(f"{status}={count}" for status, count in sorted(counts.items())) or "nothing=0"
    log.warning("sender_recovered sender=%s recorder=%s %s", sender_id, recording is not None, told)


def _sort(session: Session, sender_id: UUID, recording: Recording | None) -> Counter[str]:
    now = clock.now()
    settled = recovery.sort(session, sender_id, recording, now=now, moment=clock.at)
    advance.settled(session, settled, now=now)
    return Counter(mail.status for mail in settled)
