"""What a sending process owns, all of it made after the fork: its row in the ledger, recorder, relay, composer."""

import gc
import logging
import mmap
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import UUID

import settings
from engine.delivery import senders
from engine.delivery.recorder import Recorder
from engine.delivery.relays.balancer import Relays
from engine.messages import compose
from models.session import transaction
from worker import rescue, sender_setup

log = logging.getLogger(__name__)

_TIDY_S = 5.0
_COLLECT_AFTER = 50_000  # new objects
GROUP_FIRST = 100  # messages in a sender's first group

# Raised by the parent at a warm shutdown and seen by its forked children, which get no SIGTERM of their own (R18).
_stop_flag = mmap.mmap(-1, 1)


def ask_to_stop() -> None:
    """Tell every child of this worker to finish the group in hand and take no other."""
    _stop_flag[0] = 1


def is_stopping() -> bool:
    """Whether this worker was asked to stop."""
    return bool(_stop_flag[0])


@dataclass(slots=True)
class Sending:
    """One sender: a row in the ledger, a recorder, kept connections, compiled templates."""

    sender_id: UUID
    recorder: Recorder
    transport: Relays
    composer: compose.Composer
    group_size: int  # how many messages to take in hand, as fast as they leave
    relay_rests_until: float = 0.0  # monotonic seconds: after a refusal the relay is left alone (R16)

    def abandon(self) -> None:
        """Give up this sender after an error, leaving its recorder to be sorted like a dead process's."""
        self.transport.abort()
        self.recorder.abandon()

    def close(self) -> None:
        """End a sender that has nothing in hand."""
        self.transport.close()
        self.recorder.close()


_current: Sending | None = None
_tidied_at = 0.0


def current() -> Sending:
    """This process's sender, made at first use; what dead senders of this host left is sorted before."""
    global _current  # one per process is the point
    if _current is None:
        rescue.orphans()
        _current = _open()
    return _current


def retire() -> None:
    """Abandon this process's sender: after a database error nobody can say which of its writes were kept (R9g)."""
    global _current
    retired, _current = _current, None
    if retired is not None:
        log.warning("sender_retired sender=%s", retired.sender_id)
        retired.abandon()


def close() -> None:
    """Close this process's sender at a clean exit."""
    global _current
    closed, _current = _current, None
    if closed is not None:
        closed.close()


def own_recorder() -> Path | None:
    """The recorder file of this process, which it must not open a second time."""
    return _current.recorder.path if _current else None


def _open() -> Sending:
    configured = settings.current()
    with transaction() as session:
        sender_id = senders.register(session, socket.gethostname(), os.getpid())
    recorder = Recorder(configured.recorder_dir, sender_id, configured.send_group_size)
    sending = Sending(
        sender_id,
        recorder,
        sender_setup.transport(),
        sender_setup.composer(),
        min(GROUP_FIRST, configured.send_group_size),
    )
    collect_seldom()
    return sending


def collect_seldom() -> None:
    """Let the garbage collector leave alone what stays, and look at the rest after more than a group's worth.

    A group, or a batch of events, is thousands of objects that live until it is settled and hold no cycles: looking
    through them again and again cost 7 µs a message. Call `tidy` between them. Only the first call does anything.
    """
    if gc.get_threshold()[0] == _COLLECT_AFTER:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 100)


def tidy() -> None:
    """What the collector would do unasked, at most every five seconds: to be called between groups, not within one."""
    global _tidied_at
    if monotonic() - _tidied_at > _TIDY_S:
        gc.collect()
        _tidied_at = monotonic()


def yield_to_others(wanted: bool) -> None:
    """Be a batch job for the scheduler, where it knows such (Linux): one that interrupts nobody when it wakes.

    Not `wanted`: be an ordinary process again.
    A sender is woken by each answer of its mail server. Interrupting that for it, again and again, cost both of them
    several µs a message, and all that is urgent its place.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return
    policy = os.SCHED_BATCH if wanted else os.SCHED_OTHER
    with suppress(OSError):  # a container may forbid it
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, os.sched_param(0))
