"""One open connection at work: which command waits for which reply, and which messages hang on it.

With PIPELINING (RFC 2920) the body of a message and the envelope of the next one leave in one write:

    [MAIL RCPT DATA] → 250 250 354 → [body . MAIL RCPT DATA] → 250 250 250 354 → [body . …

At most one body is in flight. Every reply is used the moment its line is read. While all goes well a connection
cruises: the four replies of a round mean what they meant last time, and are taken together.
"""

import time
from collections.abc import Callable

from engine.delivery import replies
from engine.delivery.outcomes import Phase
from engine.delivery.smtp.data_transfer import Flight
from engine.delivery.smtp.desk import Desk
from engine.delivery.smtp.envelope import CannotSend, OutgoingMessage
from engine.delivery.smtp.handshake import Features
from engine.delivery.smtp.relay import Limits
from engine.delivery.smtp.reply_parser import Garbage, Reader, smooth_round
from engine.delivery.smtp.wire import Lost, Wire

CLOSING = 421  # RFC 5321 section 3.8: the server is closing, whatever was asked
_GOODBYE_S = 2.0


class Session:
    """The state machine of one connection; owner of its wire. Raises Lost when it is of no more use."""

    __slots__ = (
        "_current",
        "_deadline",
        "_desk",
        "_flight",
        "_has_moved",
        "_is_cruising",
        "_is_dirty",
        "_left",
        "_limits",
        "_on_reply",
        "_pipelines",
        "_reader",
        "_refused",
        "_seen_unsent",
        "_unsaid",
        "features",
        "has_proved_itself",
        "is_idle",
        "is_leaving",
        "last_used",
        "wire",
    )

    def __init__(self, wire: Wire, features: Features, limits: Limits) -> None:
        wire.owner = self
        self.wire = wire
        self.features = features
        self.is_idle = True  # a message can be given to it
        self.is_leaving = False  # QUIT was said on it
        self.last_used = time.monotonic()
        self.has_proved_itself = False  # a message got past MAIL over it
        self._limits = limits
        self._pipelines = features.pipelining
        self._reader = Reader()
        self._on_reply: Callable[[int, bytes], None] = self._on_surprise  # what the next reply answers
        self._desk: Desk
        self._left = limits.messages_per_connection
        self._current: OutgoingMessage | None = None  # its envelope is being said
        self._unsaid: list[bytes] = []  # of its commands, where they may not be pipelined
        self._refused = False  # the current message has its answer; its other replies are still to come
        self._is_dirty = False  # a transaction is open on the server's side
        self._flight = Flight(wire)  # the body that awaits its answer
        self._is_cruising = False  # a body and the next envelope have left whole; no reply to them was read yet
        self._has_moved = True  # a word was said or heard since the last look at the clock
        self._seen_unsent = 0
        self._deadline = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether messages are on it."""
        return not self.is_idle and not self.is_leaving

    def begin(self, desk: Desk) -> None:
        """Take messages from `desk` until it has no more. Raises Lost."""
        self._desk = desk
        self._next()
        self._has_moved = True

    def quit(self) -> None:
        """Say goodbye; the connection is of no more use once the reply is here. Raises Lost."""
        self.is_idle, self.is_leaving = False, True
        self._on_reply = self._on_surprise
        self.wire.write(b"QUIT\r\n")
        self._has_moved = True

    def connected(self) -> None:
        """It stood before the session began."""

    def arrived(self, data: bytes) -> None:
        """Use every reply in `data`, in order. Raises Lost."""
        if self._is_cruising:
            if (found := smooth_round(data)) is not None:
                self._cruise(found[1])
                return
            self._is_cruising = False
        if not data:
            raise Lost("the relay closed the connection")
        try:
            for code, text in self._reader.feed(data):
                self._on_reply(code, text)
        except Garbage as error:
            raise Lost(str(error)) from error
        self._has_moved = True

    def _cruise(self, answer: bytes) -> None:
        """The body in flight was accepted; the next one, which is awaited, takes its place."""
        message = self._flight.message
        assert message is not None  # noqa: S101  # cruising begins with a body
        self._desk.accept(message, answer)
        self.has_proved_itself = self._has_moved = True
        self._send_body()

    def flushed(self) -> None:
        """What was written has left: the tail of a long body may follow. Raises Lost."""
        self._flight.go_on()
        self._has_moved = True

    def is_overdue(self, now: float) -> bool:
        """Whether the awaited reply is late (RFC 5321 section 4.5.3.2); a body still moving is not.

        Time is counted from the first call after the last movement: looking at the clock each time costs more.
        """
        if self._has_moved or self.wire.unsent != self._seen_unsent:
            self._has_moved = False
            self._seen_unsent = self.wire.unsent
            self._deadline = now + self._patience_s()
        return not self.is_idle and now > self._deadline

    def lost(self, why: str) -> None:
        """The connection is gone: say what that makes of the messages on it."""
        self.wire.close()
        current, self._current = self._current, None
        if current is not None and not self._refused:
            self._desk.give_back(current, why)
        message, outcome = self._flight.message, self._flight.fate(why)
        self._flight.land()
        if message is None:
            return
        if outcome is None:
            self._desk.give_back(message, why)
        else:
            self._desk.settle(message, outcome)

    def _patience_s(self) -> float:
        if self._flight.message is not None and not self.wire.unsent:
            return self._limits.dot_timeout_s
        return _GOODBYE_S if self.is_leaving else self._limits.command_timeout_s

    def _take(self) -> bytes:
        """Make the next message that fits this connection the current one. Return its commands, b"" for none."""
        self._current = None
        self._refused = False
        while self._left:
            message = self._desk.take()
            if message is None:
                break
            try:
                self._current, commands = self._desk.envelope.seal(message, self.features)
            except CannotSend as refusal:
                self._desk.settle(message, refusal.outcome)
                continue
            self._left -= 1
            return commands.encode()
        return b""

    def _next(self) -> None:
        """Begin the next transaction, or rest."""
        if commands := self._take():
            self.is_idle = False
            self._on_reply = self._on_rset if self._is_dirty else self._on_mail
            self._say_first(b"RSET\r\n" + commands if self._is_dirty else commands)
        elif not self._left:
            self.quit()
        else:
            self.is_idle = True
            self._on_reply = self._on_surprise
            self.last_used = time.monotonic()

    def _say_first(self, commands: bytes) -> None:
        """Say all commands of a transaction where they may be pipelined, else the first alone."""
        if self._pipelines:
            self.wire.write(commands)
        else:
            self._unsaid = commands.splitlines(keepends=True)
            self._say_next()

    def _say_next(self) -> None:
        """Say the next command, where it is not out already."""
        if not self._pipelines:
            self.wire.write(self._unsaid.pop(0))

    def _on_surprise(self, _code: int, text: bytes) -> None:
        """Nothing was asked: 421, then, or the farewell."""
        raise _told(text)

    def _on_rset(self, code: int, text: bytes) -> None:
        if code != 250:
            raise _told(text)
        self._is_dirty = False
        self._on_reply = self._on_mail
        self._say_next()

    def _on_mail(self, code: int, text: bytes) -> None:
        self._check(Phase.MAIL, code, text)
        if self._refused and not self._pipelines:
            self._next()
        else:
            self._on_reply = self._on_rcpt
            self._say_next()

    def _on_rcpt(self, code: int, text: bytes) -> None:
        self._check(Phase.RCPT, code, text)
        if self._refused and not self._pipelines:
            self._is_dirty = True
            self._next()
        else:
            self._on_reply = self._on_data
            self._say_next()

    def _on_data(self, code: int, text: bytes) -> None:
        if code == 354 and self._refused:
            # RFC 2920 section 3.1: DATA was granted without a recipient; a lone dot ends it.
            self.wire.write(b".\r\n")
            self._on_reply = self._on_empty_dot
            self._is_dirty = True
            if self.features.is_lmtp:  # which answers by recipient, and here there is none (RFC 2033)
                raise Lost("DATA was granted without a recipient")
        elif code == 354:
            self._send_body()
        else:
            self._check(Phase.DATA, code, text)
            self._is_dirty = True
            self._next()

    def _on_dot(self, code: int, text: bytes) -> None:
        message, has_landed = self._flight.message, self._flight.has_landed
        if message is None or 300 <= code < 400 or (code < 400 and not has_landed):
            raise Garbage("a reply that fits nothing that was said")
        self._flight.land()
        self._desk.decide(message, Phase.ANSWER, code, text)
        self.has_proved_itself |= code != CLOSING
        if code == CLOSING or not has_landed:
            raise _told(text)  # refused in mid-body: the rest of it would be taken for commands
        if self._current is None:
            self._next()
        else:
            self._on_reply = self._on_mail

    def _on_empty_dot(self, code: int, text: bytes) -> None:
        """The answer to a lone dot says nothing that matters, but goodbye."""
        if code == CLOSING:
            raise _told(text)
        self._next()

    def _check(self, phase: Phase, code: int, text: bytes) -> None:
        """Note a refusal of the current message; only the first one says why."""
        if self._refused or (200 <= code < 300 and phase is not Phase.DATA):
            return
        if code < 400 or self._current is None:
            raise Garbage("a reply that fits nothing that was said")
        # Some servers count messages by connection and say 4yz to MAIL when theirs are used up.
        is_used_up = phase is Phase.MAIL and code < 500 and self.has_proved_itself
        if is_used_up or not self._desk.decide(self._current, phase, code, text):
            raise _told(text)
        self._refused = True
        if code == CLOSING:
            raise _told(text)
        self.has_proved_itself |= phase is not Phase.MAIL

    def _send_body(self) -> None:
        """Write the current message's body and, where pipelined, the next one's envelope behind it."""
        message = self._current
        assert message is not None  # noqa: S101  # DATA is said for a message
        self._current = None
        behind = self._take() if self._pipelines else b""
        self._on_reply = self._on_dot
        self._is_cruising = self._flight.depart(message, self._desk.complete, behind) and behind != b""


def _told(text: bytes) -> Lost:
    return Lost(replies.redact(text.decode("ascii", "replace")))
