"""One send: messages handed out to connections as these get free, until every message has its outcome."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from engine.delivery import replies
from engine.delivery.outcomes import Outcome, Phase, Sent, Untried
from engine.delivery.smtp.envelope import Envelope, OutgoingMessage
from engine.delivery.smtp.handshake import Opening
from engine.delivery.smtp.pool import Pool
from engine.delivery.smtp.prefetch import Prefetch
from engine.delivery.smtp.relay import RelayUnavailable
from engine.delivery.smtp.reply_parser import is_plain
from engine.delivery.smtp.session import Session
from engine.delivery.smtp.wire import Lost

_TRIES = 3  # of one message within a batch, and of the relay before a batch gives up
_SWEEP_S = 0.5
_HELD_S = 0.005  # how soon to ask again for a message when none may go
_ANSWER = Phase.ANSWER  # looking a member up costs as much as a call


class Log(Protocol):
    """The flight recorder, as the wire sees it. What it raises ends the batch on the spot."""

    def complete(self, slot: int) -> None:
        """Called once for a message, before the write that can carry its final dot."""

    def answered(self, slot: int, code: int, reply: bytes, ms: int, phase: int) -> None:
        """Called once for a message, when the reply that decides about it has been read.

        `reply` holds no address; `ms` is unix time in milliseconds.
        """


class StopSending(Exception):
    """Raised by a `tick` that wants its batch to end now: what is unanswered comes back in doubt."""


class Interrupted(Exception):
    """The messages ended in an error, which is the cause; `outcomes` holds all that were taken before it."""

    def __init__(self, outcomes: dict[int, Outcome]) -> None:
        super().__init__(f"composing failed after {len(outcomes)} messages")
        self.outcomes = outcomes


class Batch:
    """The desk of one send: hands out messages, collects outcomes, watches the clock."""

    def __init__(
        self,
        pool: Pool,
        envelope: Envelope,
        log: Log,
        *,
        tick: Callable[[], object] | None = None,
        pace: Callable[[], float] | None = None,
    ) -> None:
        self.envelope = envelope
        self._pool = pool
        self._messages: Iterator[OutgoingMessage | None] = iter(())
        self.complete = log.complete  # as a session asks it: before the write that may carry a final dot
        self._answered = log.answered
        self._tick = tick
        self._pace = pace
        self._ahead: Prefetch | None = None
        self._held_until = 0.0  # no message may be taken before
        self._outcomes: dict[int, Outcome] = {}
        self._waiting: deque[OutgoingMessage] = deque()  # taken from `messages`, and on no connection now
        self._tries: Counter[int] = Counter()
        self._has_ended = False  # `messages` gave all it has
        self._is_held = False  # `messages` has none that may go just now
        self._error: Exception | None = None
        self._is_staffed = False  # every free connection is at work, every wanted one on its way
        limits = pool.limits
        self._sweep_s = min(_SWEEP_S, limits.pause_s, limits.command_timeout_s / 2, limits.dot_timeout_s / 2)
        self._next_sweep = self._wake_at = time.monotonic() + self._sweep_s

    def run(self, messages: Iterable[OutgoingMessage | None]) -> dict[int, Outcome]:
        """Send `messages`; every one of them has its outcome then. Raises Interrupted. To be called once."""
        self._messages = iter(messages)
        self._ahead = messages if isinstance(messages, Prefetch) else None
        try:
            return self._run()
        finally:
            # A connection that ended keeps its last desk until the garbage is collected, many batches later.
            self._messages, self._outcomes, self._tick, self._ahead = iter(()), {}, None, None

    def _run(self) -> dict[int, Outcome]:
        try:
            self._look_ahead(self._pool.limits.connections if self._pace is None else 1)
            while self._is_staffed or self._staff():
                self._turn()
        except StopSending:
            self._stop()
        except BaseException:
            self._pool.abort()
            raise
        self._pool.abandon_openings()
        if any(session.has_proved_itself for session in self._pool.sessions):
            self._pool.works()
        if self._error is not None:
            raise Interrupted(self._outcomes) from self._error
        return self._outcomes

    # What a session asks of its desk.

    def take(self) -> OutgoingMessage | None:
        """The next message; None when there is none now."""
        if not self._waiting and self._pace is None and (message := self._fetch()) is not None:
            return message
        if (self._waiting or self._look_ahead(1)) and (self._pace is None or self._may_take(self._pace)):
            return self._waiting.popleft()
        self._is_staffed = False
        return None

    def accept(self, message: OutgoingMessage, text: bytes) -> None:
        """Mark and keep that the server took a message; `text` is its plain words."""
        at_ms = time.time_ns() // 1_000_000
        self._answered(message.slot, 250, text, at_ms, _ANSWER)
        self._outcomes[message.slot] = Sent(text.decode("ascii"), at_ms)

    def decide(self, message: OutgoingMessage, phase: Phase, code: int, text: bytes) -> bool:
        """Mark and keep what a reply means for a message; False when it is about the connection alone."""
        if code == 250 and is_plain(text):
            self.accept(message, text)
            return True
        at_ms = time.time_ns() // 1_000_000
        words = text.decode("utf-8", "replace")  # what names a recipient outside ASCII is to be found in it
        outcome = replies.classify(phase, code, words, recipient=message.recipient, at_ms=at_ms)
        if isinstance(outcome, Untried):
            return False
        self._answered(message.slot, code, outcome.response.encode("ascii", "replace"), at_ms, phase)
        self._outcomes[message.slot] = outcome
        return True

    def settle(self, message: OutgoingMessage, outcome: Outcome) -> None:
        """What became of a message, where no reply says it."""
        self._outcomes[message.slot] = outcome

    def give_back(self, message: OutgoingMessage, why: str) -> None:
        """This message was not tried: another connection may take it, but not for ever."""
        self._tries[message.slot] += 1
        if self._tries[message.slot] < _TRIES and self._error is None:
            self._waiting.appendleft(message)
        else:
            self._outcomes[message.slot] = Untried(why)

    # The loop.

    def _turn(self) -> None:
        """Wait for the wires, at most until there is something else to do, and let each do what it can."""
        readiness, ahead = self._pool.readiness, self._ahead
        if ahead is not None and ahead.wants_more:
            ready = readiness.poll(0)
            if not ready:
                self._meanwhile(ahead)
        else:
            ready = readiness.poll(max(0.0, self._wake_at - time.monotonic()))
        for fd, mask in ready:
            wire = readiness.wires[fd]
            try:
                wire.turn(mask)
            except (Lost, RelayUnavailable) as error:
                self._lost(wire.owner, error)
        if self._pool.openings:
            self._is_staffed = False
        if time.monotonic() >= self._wake_at:
            self._wake()

    def _meanwhile(self, ahead: Prefetch) -> None:
        """All connections wait for answers: time to compose a little."""
        try:
            ahead.compose_more()
        except Exception as error:  # noqa: BLE001  # as in `_fetch`
            self._break_off(error)

    def _wake(self) -> None:
        """The clock says that there is something to do: a sweep, or a message that may be taken now."""
        self._is_staffed = False
        if time.monotonic() >= self._next_sweep:
            self._sweep()
        self._wake_at = self._next_sweep

    def _may_take(self, pace: Callable[[], float]) -> bool:
        """Whether a message may be taken now; the pace is not asked again before the time it gave."""
        now = time.monotonic()
        if now >= self._held_until:
            self._held_until = now + pace()
        if now >= self._held_until:
            return True
        self._wake_at = min(self._wake_at, self._held_until)
        return False

    def _sweep(self) -> None:
        """What is done about once a second: the caller's tick, late replies, connections to try again."""
        if self._tick is not None:
            self._tick()
        now = time.monotonic()
        self._next_sweep = now + self._sweep_s
        owners: list[Session | Opening] = [*self._pool.sessions, *self._pool.openings]
        for owner in owners:
            if owner.is_overdue(now):
                late = Lost("no answer in time")
                late.__cause__ = TimeoutError()
                self._lost(owner, late)

    def _staff(self) -> bool:
        """Put free connections to work, open wanted ones; whether there is anything left to wait for."""
        self._is_staffed = True
        self._is_held = False
        pool = self._pool
        for opening in pool.openings[:]:
            pool.admit(opening)
        for session in pool.sessions[:]:
            if session.is_idle and self._look_ahead(1):
                self._begin(session)
        if self._look_ahead(1) and not any(session.is_idle for session in pool.sessions):  # idle now: held by the pace
            self._grow()
        is_working = bool(pool.openings) or any(session.is_busy for session in pool.sessions)
        if self._waiting and not is_working and pool.failures >= _TRIES:
            self._give_up(str(pool.last_failure))
        return is_working or bool(self._waiting) or self._is_held

    def _begin(self, session: Session) -> None:
        try:
            session.begin(self)
        except Lost as error:
            self._lost(session, error)

    def _grow(self) -> None:
        """Open a connection for each message that waits, as far as the relay may be asked."""
        while len(self._waiting) > len(self._pool.openings) and self._pool.may_start():
            try:
                self._pool.start()
            except RelayUnavailable as error:
                self._pool.failed(error)

    def _lost(self, owner: Session | Opening, error: Lost | RelayUnavailable) -> None:
        self._is_staffed = False
        try:
            self._pool.lost(owner, error)
        except RelayUnavailable as failure:
            self._pool.failed(failure)

    def _look_ahead(self, count: int) -> bool:
        """Take messages until `count` of them wait; whether any does."""
        while len(self._waiting) < count and (message := self._fetch()) is not None:
            self._waiting.append(message)
        return bool(self._waiting)

    def _fetch(self) -> OutgoingMessage | None:
        """The next of the messages; None when none may go just now, and once they have ended, well or not."""
        if self._has_ended:
            return None
        try:
            for message in self._messages:
                if message is None:
                    self._is_held = True
                    self._wake_at = min(self._wake_at, time.monotonic() + _HELD_S)
                return message
        except Exception as error:  # noqa: BLE001  # whatever composing raised: those in flight come first
            self._break_off(error)
        self._has_ended = True
        return None

    def _break_off(self, error: Exception) -> None:
        """Composing failed: no message follows."""
        self._error = error
        self._has_ended = True
        self._ahead = None
        self._give_up("composing failed")

    def _give_up(self, why: str) -> None:
        """Every message that is on no connection goes back untried; why, if it ever was on one."""
        while self._look_ahead(1):
            slot = self._waiting.popleft().slot
            self._outcomes[slot] = Untried(why if self._tries[slot] else "")

    def _stop(self) -> None:
        for session in self._pool.sessions[:]:
            if session.is_busy:
                session.lost("stopped")
                self._pool.forget(session)
        self._give_up("stopped")
