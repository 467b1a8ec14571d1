"""The kept connections to one relay: opened when wanted, closed when stale, left alone after failures."""

import time
from dataclasses import replace

from engine.delivery.smtp.handshake import Features, Opening
from engine.delivery.smtp.readiness import Readiness
from engine.delivery.smtp.relay import Address, Limits, Reason, Relay, RelayUnavailable
from engine.delivery.smtp.session import Session
from engine.delivery.smtp.wire import Lost

_LONGEST_PAUSE = 30  # times the first one
_GOODBYE_S = 2.0
_ADDRESSES_S = 60.0


class Pool:
    """Connections on their way (`openings`) and open ones (`sessions`), watched together.

    After a failure the relay is left alone for 1 s, then 2, 4 … 30 s, and tried by one connection at a
    time, until a message is decided again (R16).
    """

    def __init__(self, relay: Relay, limits: Limits) -> None:
        self.limits = limits
        self.readiness = Readiness()
        self.sessions: list[Session] = []
        self.openings: list[Opening] = []
        self.features = Features()
        self.failures = 0  # in a row
        self.last_failure: RelayUnavailable | None = None
        self._paused_until = 0.0
        self._crowded_until = 0.0
        self._relay = relay
        self._addresses: list[Address] = []
        self._addresses_until = 0.0
        if relay.ca_file is not None:
            relay.tls_context()  # a file that cannot be read is known now, not in the middle of a batch

    def open(self) -> None:
        """Have at least one open connection. Waits for it; raises RelayUnavailable."""
        self.reap()
        if any(session.is_idle for session in self.sessions):
            return
        pause_s = self._paused_until - time.monotonic()
        if pause_s > 0:
            why = self.last_failure.reason if self.last_failure else ""
            raise RelayUnavailable(Reason.PAUSED, why, retry_after_s=pause_s)
        try:
            self.start()
            while not self.sessions:
                self._wait_for_opening()
        except RelayUnavailable as error:
            error.retry_after_s = self.failed(error)
            raise
        finally:
            self.abandon_openings()

    def start(self) -> None:
        """Set one more connection on its way. Raises RelayUnavailable when it fails at once."""
        opening = Opening(
            self._relay,
            self.readiness,
            addresses=self._resolve(),
            timeout_s=self.limits.connect_timeout_s,
        )
        self.openings.append(opening)

    def admit(self, opening: Opening) -> Session | None:
        """The session an opening has become, once it takes mail."""
        if opening.features is None:
            return None
        self.openings.remove(opening)
        self.features = opening.features
        session = Session(opening.wire, opening.features, self.limits)
        self.sessions.append(session)
        return session

    def may_start(self) -> bool:
        """Whether another connection may be tried: in a bad time not before its pause, and one alone."""
        now = time.monotonic()
        if self.failures and (self.openings or now < self._paused_until):
            return False
        if self.sessions and now < self._crowded_until:
            return False
        staying = sum(not session.is_leaving for session in self.sessions)
        return staying + len(self.openings) < self.limits.connections

    def lost(self, owner: Session | Opening, error: Lost | RelayUnavailable) -> None:
        """A connection ended with `error`: let it say what that means. Raises RelayUnavailable."""
        if isinstance(owner, Opening):
            self._lost_opening(owner, error)
            return
        self._hear_out(owner, error)
        self.forget(owner)
        if owner.has_proved_itself:
            self.works()
        elif not owner.is_leaving:
            raise RelayUnavailable(Reason.DROPPED, str(error)) from error

    def failed(self, error: RelayUnavailable) -> float:
        """Note a failure of the relay; the seconds it is left alone for."""
        if any(session.has_proved_itself for session in self.sessions):
            # It works, but takes no more connections of ours than it has.
            self._crowded_until = time.monotonic() + self.limits.pause_s * _LONGEST_PAUSE
            return 0.0
        pause_s = self.limits.pause_s * min(1 << self.failures, _LONGEST_PAUSE)
        self.failures += 1
        self.last_failure = error
        self._paused_until = time.monotonic() + pause_s
        return pause_s

    def works(self) -> None:
        """Note that the relay does its work."""
        self.failures = 0
        self._paused_until = 0.0

    def reap(self) -> None:
        """Close idle connections that are past their time, and those their server has closed or spoken on."""
        self._drop_spoken()
        oldest = time.monotonic() - self.limits.idle_s
        for session in [session for session in self.sessions if session.is_leaving]:
            self.forget(session)
        self._say_goodbye([session for session in self.sessions if session.last_used < oldest])

    def limit_connections(self, connections: int) -> None:
        """Have at most so many connections from now on; idle ones that are too many are closed."""
        if connections != self.limits.connections:
            self.limits = replace(self.limits, connections=connections)
            self._say_goodbye([session for session in self.sessions if session.is_idle][connections:])

    def forget(self, session: Session) -> None:
        """This session is over."""
        session.wire.close()
        if session in self.sessions:
            self.sessions.remove(session)

    def abandon_openings(self) -> None:
        """Give up every connection that is still on its way."""
        for opening in self.openings:
            opening.wire.close()
        self.openings.clear()

    def abort(self) -> None:
        """Close everything at once, in whatever state."""
        self.abandon_openings()
        for session in list(self.sessions):
            self.forget(session)

    def close(self) -> None:
        """Say QUIT on every idle connection, wait a moment for the answers, close all."""
        self.abandon_openings()
        self._say_goodbye([session for session in self.sessions if session.is_idle])
        self.abort()

    def _lost_opening(self, opening: Opening, error: Lost | RelayUnavailable) -> None:
        """Let it dial its next address; where there is none, it is over. Raises RelayUnavailable."""
        try:
            if isinstance(error, RelayUnavailable):
                raise error
            opening.lost(error)
        except RelayUnavailable:
            opening.wire.close()
            self.openings.remove(opening)
            raise

    def _hear_out(self, session: Session, error: Lost | RelayUnavailable) -> None:
        """Use what the server said before the connection broke, then settle the messages on it."""
        why = str(error)
        if isinstance(error.__cause__, OSError) and (words := session.wire.last_words()):
            try:
                session.arrived(words)
            except Lost as farewell:
                why = str(farewell)
        session.lost(why)

    def _resolve(self) -> list[Address]:
        """The relay's addresses; looking them up blocks, so it is done once a minute at most."""
        now = time.monotonic()
        if now >= self._addresses_until:
            self._addresses = self._relay.addresses()
            self._addresses_until = now + _ADDRESSES_S
        return self._addresses

    def _wait_for_opening(self) -> None:
        for wire, mask in self.readiness.wait(0.25):
            opening = wire.owner
            try:
                wire.turn(mask)
            except (Lost, RelayUnavailable) as error:
                self.lost(opening, error)
            else:
                self.admit(opening)
        for opening in self.openings:
            if opening.is_overdue(time.monotonic()):
                raise RelayUnavailable(Reason.TIMEOUT)

    def _say_goodbye(self, leaving: list[Session]) -> None:
        for session in leaving:
            try:
                session.quit()
            except Lost:
                self.forget(session)
        deadline = time.monotonic() + _GOODBYE_S
        while any(session.wire.is_open for session in leaving) and time.monotonic() < deadline:
            self._drop_spoken(wait_s=0.1)
        for session in leaving:
            self.forget(session)

    def _drop_spoken(self, *, wait_s: float = 0.0) -> None:
        """Drop every connection the server spoke on (or closed) while none of ours was awaiting a word."""
        for wire, _ in self.readiness.wait(wait_s):
            for session in self.sessions[:]:
                if session.wire is wire:
                    self.forget(session)
