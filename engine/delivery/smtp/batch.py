"""The event loop of one send: distributes messages to connections until every message has its outcome."""

import time
from collections.abc import Callable

from engine.delivery.outcomes import Outcome
from engine.delivery.smtp.handshake import Handshake
from engine.delivery.smtp.message_queue import MessageQueue
from engine.delivery.smtp.pool import Pool
from engine.delivery.smtp.relay import RelayUnavailable
from engine.delivery.smtp.session import Session
from engine.delivery.smtp.wire import ConnectionLost

_MAX_FAILURES = 3  # of the relay in a row, before a batch gives up
_SWEEP_S = 0.5


class StopSending(Exception):
    """Raised by a `tick` to end its batch now: messages without a reply are then in doubt."""


class Interrupted(Exception):
    """Composing raised an error, which is the cause; `outcomes` holds the messages composed before it."""

    def __init__(self, outcomes: dict[int, Outcome]) -> None:
        super().__init__(f"composing failed after {len(outcomes)} messages")
        self.outcomes = outcomes


class Batch:
    """Sends the messages of one queue over the connections of a pool."""

    def __init__(self, pool: Pool, queue: MessageQueue, tick: Callable[[], object] | None = None) -> None:
        self._pool = pool
        self._queue = queue
        queue.in_flight = pool.in_flight
        self._tick = tick
        limits = pool.limits
        self._sweep_s = min(_SWEEP_S, limits.pause_s, limits.command_timeout_s / 2, limits.dot_timeout_s / 2)
        self._next_sweep = queue.wake_at = time.monotonic() + self._sweep_s

    def run(self) -> dict[int, Outcome]:
        """Send all messages and return the outcome of each, by slot. Call this once. Raises Interrupted."""
        try:
            return self._run()
        finally:
            self._queue.clear()

    def _run(self) -> dict[int, Outcome]:
        queue, pool = self._queue, self._pool
        try:
            queue.fill(1 if queue.is_paced else pool.limits.connections)
            while queue.is_distributed or self._distribute():
                self._poll()
        except StopSending:
            self._stop()
        except BaseException:
            pool.abort()
            raise
        pool.abandon_handshakes()
        if (refusal := queue.finish()) is not None:
            pool.record_refusal(refusal)
        elif any(session.has_worked for session in pool.sessions):
            pool.record_success()
        if queue.error is not None:
            raise Interrupted(queue.outcomes) from queue.error
        return queue.outcomes

    def _poll(self) -> None:
        """Wait for network events, at most until `wake_at`, and handle them. Compose messages instead of waiting."""
        queue, selector = self._queue, self._pool.selector
        prefetch = queue.prefetch
        if prefetch is not None and prefetch.wants_more:
            ready = selector.select(0)
            if not ready:
                queue.compose_ahead(prefetch)
        else:
            ready = selector.select(max(0.0, queue.wake_at - time.monotonic()))
        for key, mask in ready:
            wire = key.data
            try:
                wire.handle(mask)
            except (ConnectionLost, RelayUnavailable) as error:
                self._lost(wire.owner, error)
        if self._pool.handshakes:
            queue.is_distributed = False
        if time.monotonic() >= queue.wake_at:
            self._wake()

    def _wake(self) -> None:
        """Distribute again, because a message may leave now or the time of a sweep has come."""
        self._queue.is_distributed = False
        if time.monotonic() >= self._next_sweep:
            self._sweep()
        self._queue.wake_at = self._next_sweep

    def _sweep(self) -> None:
        """Call the caller's tick, and end connections whose reply is late. Runs about twice a second."""
        if self._tick is not None:
            self._tick()
        now = time.monotonic()
        self._next_sweep = now + self._sweep_s
        owners: list[Session | Handshake] = [*self._pool.sessions, *self._pool.handshakes]
        for owner in owners:
            if owner.is_overdue(now):
                late = ConnectionLost("no answer in time")
                late.__cause__ = TimeoutError()
                self._lost(owner, late)

    def _distribute(self) -> bool:
        """Give messages to idle sessions and open missing connections. Return True if there is anything to wait for."""
        queue, pool = self._queue, self._pool
        queue.is_distributed = True
        queue.is_held = False
        for handshake in pool.handshakes[:]:
            pool.admit(handshake)
        for session in pool.sessions[:]:
            if session.is_idle and queue.fill(1):
                self._start(session)
        if queue.fill(1) and not any(session.is_idle for session in pool.sessions):  # an idle one is held by the pace
            self._open_connections()
        is_working = bool(pool.handshakes) or any(session.is_busy for session in pool.sessions)
        if queue.waiting and not is_working and pool.failures >= _MAX_FAILURES:
            queue.give_up(str(pool.last_failure))
        return is_working or bool(queue.waiting) or queue.is_held

    def _start(self, session: Session) -> None:
        try:
            session.start(self._queue)
        except ConnectionLost as error:
            self._lost(session, error)

    def _open_connections(self) -> None:
        """Open a connection for each waiting message, as far as the pool allows it."""
        while len(self._queue.waiting) > len(self._pool.handshakes) and self._pool.may_connect():
            try:
                self._pool.connect()
            except RelayUnavailable as error:
                self._pool.record_failure(error)

    def _lost(self, owner: Session | Handshake, error: ConnectionLost | RelayUnavailable) -> None:
        self._queue.is_distributed = False
        try:
            self._pool.lost(owner, error)
        except RelayUnavailable as failure:
            self._pool.record_failure(failure)

    def _stop(self) -> None:
        for session in self._pool.sessions[:]:
            if session.is_busy:
                session.lost("stopped")
                self._pool.discard(session)
        self._queue.give_up("stopped")
