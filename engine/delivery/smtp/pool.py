"""The connections to one relay: opened on demand, kept for reuse, closed when idle, with a back-off after failures."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from selectors import DefaultSelector

from engine.delivery.smtp import replies
from engine.delivery.smtp.handshake import Handshake, Trial
from engine.delivery.smtp.message_queue import RefusalHistory
from engine.delivery.smtp.prefetch import OutgoingMessage
from engine.delivery.smtp.relay import Limits, Reason, Relay, RelayUnavailable
from engine.delivery.smtp.reply_parser import Features
from engine.delivery.smtp.session import Session
from engine.delivery.smtp.wire import Address, ConnectionLost

_MAX_PAUSE_FACTOR = 30  # of the first pause
_QUIT_TIMEOUT_S = 2.0
_RESOLVE_EVERY_S = 60.0


class Pool:
    """Connections being opened (`handshakes`) and open ones (`sessions`) of one relay.

    After a failure it connects again after 1 s, then 2, 4 … 30 s, one connection at a time, until the relay decides
    about a message again (R16).
    """

    def __init__(self, relay: Relay, limits: Limits) -> None:
        self.limits = limits
        self.selector = DefaultSelector()
        self.sessions: list[Session] = []
        self.handshakes: list[Handshake] = []
        self.features = Features()
        self.history = RefusalHistory()
        self.failures = 0  # in a row
        self.last_failure: RelayUnavailable | None = None
        self._paused_until = 0.0
        self._full_until = 0.0
        self._relay = relay
        self._addresses: list[Address] = []
        self._addresses_until = 0.0
        if relay.ca_file is not None:
            relay.tls_context()  # so that an unreadable file is an error now, not in the middle of a batch

    def open(self, trial: Trial | None = None) -> None:
        """Ensure one open connection, and wait for it; a new one makes the `trial`. Raises RelayUnavailable."""
        self.close_idle()
        if any(session.is_idle for session in self.sessions):
            return
        pause_s = self._paused_until - time.monotonic()
        if pause_s > 0:
            why = self.last_failure.reason if self.last_failure else ""
            raise RelayUnavailable(Reason.PAUSED, why, retry_after_s=pause_s)
        try:
            self.connect(trial)
            while not self.sessions:
                self._wait_for_handshake()
        except RelayUnavailable as error:
            error.retry_after_s = self.record_failure(error)
            raise
        finally:
            self.abandon_handshakes()

    def connect(self, trial: Trial | None = None) -> None:
        """Start to open one more connection. Raises RelayUnavailable if that fails at once."""
        handshake = Handshake(
            self._relay,
            self.selector,
            addresses=self._resolve(),
            timeout_s=self.limits.connect_timeout_s,
            trial=trial,
        )
        self.handshakes.append(handshake)

    def admit(self, handshake: Handshake) -> Session | None:
        """Return the session of a finished handshake, None for an unfinished one."""
        if handshake.features is None:
            return None
        self.handshakes.remove(handshake)
        self.features = handshake.features
        session = Session(handshake.wire, handshake.features, self.limits)
        self.sessions.append(session)
        return session

    def may_connect(self) -> bool:
        """Return True if another connection may be opened; after a failure only after the pause, and only one."""
        now = time.monotonic()
        if self.failures and (self.handshakes or now < self._paused_until):
            return False
        if self.sessions and now < self._full_until:
            return False
        remaining = sum(not session.is_quitting for session in self.sessions)
        return remaining + len(self.handshakes) < self.limits.connections

    def lost(self, owner: Session | Handshake, error: ConnectionLost | RelayUnavailable) -> None:
        """Handle the loss of a connection. Raises RelayUnavailable if it means that the relay cannot be used."""
        if isinstance(owner, Handshake):
            self._lost_handshake(owner, error)
            return
        self._read_final_reply(owner, error)
        self.discard(owner)
        if owner.has_worked:
            self.record_success()
        elif not owner.is_quitting:
            reason = Reason.REFUSED if replies.refuses_access(str(error)) else Reason.DROPPED
            raise RelayUnavailable(reason, str(error)) from error

    def record_failure(self, error: RelayUnavailable) -> float:
        """Record a failure of the relay. Return the seconds until it may be tried again."""
        if any(session.has_worked for session in self.sessions):
            # The relay works, but accepts no further connection from us.
            self._full_until = time.monotonic() + self.limits.pause_s * _MAX_PAUSE_FACTOR
            return 0.0
        return self._pause(error)

    def record_refusal(self, error: RelayUnavailable) -> None:
        """Record that the relay refuses us. Close its connections, so that the next try authenticates again."""
        error.retry_after_s = self._pause(error)
        self.close()

    def record_success(self) -> None:
        """Record that the relay works, which ends the back-off."""
        self.failures = 0
        self._paused_until = 0.0

    def in_flight(self) -> Iterator[OutgoingMessage]:
        """Return the messages whose recipient the relay may have accepted before now."""
        return chain.from_iterable(session.in_flight() for session in self.sessions)

    def close_idle(self) -> None:
        """Close connections that were idle too long, and those that the server closed or sent something on."""
        self._discard_readable()
        oldest = time.monotonic() - self.limits.idle_s
        for session in [session for session in self.sessions if session.is_quitting]:
            self.discard(session)
        self._quit([session for session in self.sessions if session.last_used < oldest])

    def limit_connections(self, connections: int) -> None:
        """Use at most so many connections from now on, and close idle ones beyond that."""
        if connections != self.limits.connections:
            self.limits = replace(self.limits, connections=connections)
            self._quit([session for session in self.sessions if session.is_idle][connections:])

    def discard(self, session: Session) -> None:
        """Close a session and remove it."""
        session.wire.close()
        if session in self.sessions:
            self.sessions.remove(session)

    def abandon_handshakes(self) -> None:
        """Close every connection that is still being opened."""
        for handshake in self.handshakes:
            handshake.wire.close()
        self.handshakes.clear()

    def abort(self) -> None:
        """Close everything at once, in any state."""
        self.abandon_handshakes()
        for session in list(self.sessions):
            self.discard(session)

    def close(self) -> None:
        """Send QUIT on every idle connection, wait up to 2 s for the replies, and close all."""
        self.abandon_handshakes()
        self._quit([session for session in self.sessions if session.is_idle])
        self.abort()

    def _pause(self, error: RelayUnavailable) -> float:
        pause_s = self.limits.pause_s * min(1 << self.failures, _MAX_PAUSE_FACTOR)
        self.failures += 1
        self.last_failure = error
        self._paused_until = time.monotonic() + pause_s
        return pause_s

    def _lost_handshake(self, handshake: Handshake, error: ConnectionLost | RelayUnavailable) -> None:
        """Let a handshake try its next address, or end it if there is none. Raises RelayUnavailable."""
        try:
            if isinstance(error, RelayUnavailable):
                raise error
            handshake.lost(error)
        except RelayUnavailable:
            handshake.wire.close()
            self.handshakes.remove(handshake)
            raise

    def _read_final_reply(self, session: Session, error: ConnectionLost | RelayUnavailable) -> None:
        """Handle the last replies of a broken connection, then record the outcomes of its messages."""
        why = str(error)
        if isinstance(error.__cause__, OSError) and (data := session.wire.read_rest()):
            try:
                session.received(data)
            except ConnectionLost as closed:
                why = str(closed)
        session.lost(why)

    def _resolve(self) -> list[Address]:
        """Return the relay's addresses. The lookup blocks, so it is repeated once a minute at most."""
        now = time.monotonic()
        if now >= self._addresses_until:
            self._addresses = self._relay.addresses()
            self._addresses_until = now + _RESOLVE_EVERY_S
        return self._addresses

    def _wait_for_handshake(self) -> None:
        for key, mask in self.selector.select(0.25):
            wire = key.data
            handshake = wire.owner
            try:
                wire.handle(mask)
            except (ConnectionLost, RelayUnavailable) as error:
                self.lost(handshake, error)
            else:
                self.admit(handshake)
        for handshake in self.handshakes:
            if handshake.is_overdue(time.monotonic()):
                raise RelayUnavailable(Reason.TIMEOUT)

    def _quit(self, quitting: list[Session]) -> None:
        for session in quitting:
            try:
                session.quit()
            except ConnectionLost:
                self.discard(session)
        deadline = time.monotonic() + _QUIT_TIMEOUT_S
        while any(session.wire.is_open for session in quitting) and time.monotonic() < deadline:
            self._discard_readable(wait_s=0.1)
        for session in quitting:
            self.discard(session)

    def _discard_readable(self, *, wait_s: float = 0.0) -> None:
        """Discard every connection that the server closed, or sent something on, while no reply was expected."""
        for key, _ in self.selector.select(wait_s):
            for session in self.sessions[:]:
                if session.wire is key.data:
                    self.discard(session)
