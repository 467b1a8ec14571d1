"""Group commit of single sends: concurrent calls share one transaction.

A single call is stored at once. Calls that arrive during its transaction are queued; the first of them then stores all.
While groups have more than one call, it waits a moment for more. Measured on two cores with 32 callers: a commit of 10
sends costs little more than a commit of one.

A `Gathering`, as for hits and sign-ups, does not fit: the response to a send has the id and moment of its row, is
stored for its idempotency key and may wait for the mail server, so the request's thread continues after the commit.
That thread also stores a single send itself, where a `Gathering` passes each entry to another thread.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import sleep
from uuid import UUID

from flask import Flask, current_app

from engine import clock
from engine.delivery import outbox
from engine.delivery.outbox import SendRequest
from errors import Unavailable
from models import ids
from models.session import retrying, statement

log = logging.getLogger(__name__)

# The pause that lets more calls join when the last group had more than one. With 32 callers, nine alternating runs with
# and without it: 122 -> 103 us of CPU in PostgreSQL per send, and no longer to the answer (medians).
GATHER_S = 0.002
_NAME = "cadencia-sends"


@dataclass(frozen=True, slots=True)
class StoredEmail:
    """The id of a stored e-mail and the time of its acceptance."""

    email_id: UUID
    accepted_at: datetime


@dataclass(slots=True, eq=False)
class _Call:
    """A queued call; it continues when another call has stored its e-mail, or when it leads the next group."""

    request: SendRequest
    turn: threading.Lock = field(default_factory=threading.Lock)
    stored: StoredEmail | None = None
    error: Unavailable | None = None
    leads: bool = False


class SendBatcher:
    """The queue of a process; shared by its threads."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._queue: list[_Call] = []
        self._is_storing = False
        self._last_size = 1

    def store(self, request: SendRequest) -> StoredEmail:
        """Store the e-mail together with those of concurrent calls; return after the commit.

        Raises what a transaction of its own would raise, never an error of another call.
        """
        call = _Call(request)
        if self._join(call):
            self._lead()
        if call.error is not None:
            raise call.error
        return call.stored or _store_alone(request)

    def _join(self, call: _Call) -> bool:
        """Queue the call and wait for its turn; return True if it must store the next group."""
        with self._gate:
            self._queue.append(call)
            if not self._is_storing:
                self._is_storing = call.leads = True
                return True
            call.turn.acquire()
        call.turn.acquire()  # released by the leader of its group
        return call.leads

    def _lead(self) -> None:
        if self._last_size > 1:
            sleep(GATHER_S)
        with self._gate:
            group, self._queue = self._queue, []
        self._last_size = len(group)
        try:
            _store_group(group)
        finally:
            with self._gate:
                self._is_storing = bool(self._queue)
                next_leader = self._queue[:1]
            for call in next_leader:
                call.leads = True
            for call in (*next_leader, *group):
                if call.turn.locked():
                    call.turn.release()


def install(app: Flask) -> None:
    """Attach a queue of sends to `app`."""
    app.extensions[_NAME] = SendBatcher()


def current() -> SendBatcher:
    """Return the queue of the application that handles this request."""
    batcher: SendBatcher = current_app.extensions[_NAME]
    return batcher


def _store_group(group: Sequence[_Call]) -> None:
    """Store a group by one statement, which is a transaction of its own.

    If one faulty e-mail or a concurrent insert of the same contact undoes it, each call stores its own e-mail.
    """
    now, by_id = clock.now(), {ids.new(): call for call in group}
    try:
        with statement() as session:
            stored = outbox.insert(session, {email_id: call.request for email_id, call in by_id.items()}, now=now)
    except Unavailable as error:
        for call in group:
            call.error = error
    except Exception as error:  # noqa: BLE001  # each call retries in a transaction of its own
        log.warning("send_group_failed emails=%d error=%s", len(group), type(error).__name__)
    else:
        for email_id in stored:
            by_id[email_id].stored = StoredEmail(email_id, now)


def _store_alone(request: SendRequest) -> StoredEmail:
    now = clock.now()
    [email_id] = retrying(lambda session: outbox.add(session, [request], now=now))
    return StoredEmail(email_id, now)
