"""State of a worker process, created after the fork: its sender, the stop flag, garbage collection, scheduling."""

import gc
import logging
import mmap
import os
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import monotonic
from uuid import UUID

import settings
from engine import clock
from engine.delivery import senders
from engine.delivery.recorder import Recorder
from engine.delivery.relays import balancer, daily_quota
from engine.delivery.relays.balancer import Relays
from engine.delivery.relays.daily_quota import Calendar
from engine.messages import compose
from engine.templates import templates
from engine.templates.versions.reading import StoredTemplates
from engine.tracking import tokens
from engine.tracking.address_tags import AddressTags
from errors import Unavailable
from models.session import statement, transaction
from worker.template_holds import TemplateHolds

log = logging.getLogger(__name__)

_COLLECT_EVERY_S = 5.0
_COLLECT_AFTER = 50_000  # new objects
GROUP_FIRST = 100  # e-mails in a sender's first group


class SharedFlag:
    """A flag in memory that a process shares with the children it forks afterwards."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Set the flag in all processes."""
        self._byte[0] = 1

    def clear(self) -> None:
        """Clear the flag in all processes."""
        self._byte[0] = 0

    def is_set(self) -> bool:
        """Return True if any of the processes has set the flag."""
        return bool(self._byte[0])


# Set by the parent at a warm shutdown: its children get no SIGTERM, finish their group and claim no other (R18).
stop = SharedFlag()


@dataclass(slots=True)
class Sender:
    """A sender: its row's id, its recorder, its open connections, its compiled templates and those on hold."""

    sender_id: UUID
    recorder: Recorder
    transport: Relays
    composer: compose.Composer
    group_size: int  # how many e-mails to claim at once; adapted to how fast they are sent
    holds: TemplateHolds = field(default_factory=TemplateHolds)
    relay_retry_at: float = 0.0  # monotonic seconds; no connect before, after the relay was unavailable (R16)

    def abandon(self) -> None:
        """Drop this sender after an error, and leave its recorder to be recovered like that of a dead process."""
        self.transport.abort()
        self.recorder.abandon()

    def close(self) -> None:
        """Close a sender that has no open group, and fence its row, so that it is deleted some day."""
        self.transport.close()
        with suppress(Unavailable):
            with transaction() as session:
                senders.fence(session, self.sender_id)
            self.recorder.close()
            return
        self.recorder.abandon()  # recovery will fence the row


_current: Sender | None = None
_collected_at = 0.0


def current() -> Sender:
    """Return this process's sender, created by the first call."""
    global _current  # one per process is the point
    if _current is None:
        _current = open_sender()
    return _current


def retire() -> None:
    """Abandon this process's sender after an error: it is unknown which of its writes were committed (R9g)."""
    global _current
    retired, _current = _current, None
    if retired is not None:
        log.warning("sender_retired sender=%s", retired.sender_id)
        retired.abandon()


def close() -> None:
    """Close this process's sender, at a clean exit."""
    global _current
    closed, _current = _current, None
    if closed is not None:
        closed.close()


def own_recorder() -> Path | None:
    """Return the path of this process's recorder, which it must not open a second time; None without a sender."""
    return _current.recorder.path if _current else None


def open_sender() -> Sender:
    """Create a sender: its row, its recorder, its transport and its composer. After an error none of them is left."""
    configured = settings.current()
    with ExitStack() as undo:
        with transaction() as session:
            sender_id = senders.register(session, socket.gethostname(), os.getpid())
            recorder = Recorder(configured.recorder_dir, sender_id, configured.send_group_size)
            undo.callback(recorder.abandon)  # recovery removes it, and fences the row if that was committed
        sender = Sender(
            sender_id,
            recorder,
            transport(),
            composer(),
            min(GROUP_FIRST, configured.send_group_size),
        )
        undo.pop_all()
    tune_garbage_collector()
    return sender


def composer() -> compose.Composer:
    """Return a composer; it compiles each template, and each version of one in the database, at its first use."""
    configured = settings.current()
    sender = compose.From(
        configured.mail_from,
        configured.reply_to,
        configured.public_url,
        AddressTags(configured.tracking_ring),
        configured.return_path,
        configured.reply_tags,
    )
    library = templates.Library.configured(configured, StoredTemplates(statement))
    return compose.Composer(library, tokens.Signer(configured.tracking_ring), sender)


def transport() -> Relays:
    """Return the transport to the relays, which connects when needed. Raises InvalidInput for wrong settings."""
    return balancer.create(Calendar(lambda: clock.now().date(), _sent_on))


def _sent_on(day: date) -> int:
    with transaction() as session:
        return daily_quota.sent_on(session, day)


def tune_garbage_collector() -> None:
    """Exclude the objects that exist now from garbage collection, and collect only after more than a group's worth.

    The objects of a group, or of a batch of events, live until it is settled and contain no cycles. Scanning them
    repeatedly cost 7 µs an e-mail (measured). Call `collect_garbage` between groups. Later calls do nothing.
    """
    if gc.get_threshold()[0] == _COLLECT_AFTER:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 100)


def collect_garbage() -> None:
    """Collect garbage, at most every five seconds. Call it between groups, not within one."""
    global _collected_at
    if monotonic() - _collected_at > _COLLECT_EVERY_S:
        gc.collect()
        _collected_at = monotonic()


def set_batch_scheduling(enabled: bool) -> None:
    """Switch this process to SCHED_BATCH, or back to normal scheduling. Linux only; elsewhere it does nothing.

    Each reply of the mail server wakes a sender. A batch process does not preempt others when it wakes: preempting the
    mail server each time cost both of them several µs an e-mail (measured), and delayed urgent processes.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return
    policy = os.SCHED_BATCH if enabled else os.SCHED_OTHER
    with suppress(OSError):  # a container may forbid this
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, os.sched_param(0))
