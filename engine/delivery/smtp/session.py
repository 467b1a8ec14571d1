"""One open connection: the state machine that matches replies to commands and messages.

With PIPELINING (RFC 2920) the body of a message and the commands of the next one leave in one write:

    [MAIL RCPT DATA] → 250 250 354 → [body . MAIL RCPT DATA] → 250 250 250 354 → [body . …

At most one body is in flight. Every reply is handled as soon as its line was read. Fast path: four positive replies in
the expected order are handled together, without the state machine.
"""

import time
from collections.abc import Callable, Iterator

from engine.delivery.outcomes import Phase
from engine.delivery.smtp import replies
from engine.delivery.smtp.data_transfer import DataTransfer
from engine.delivery.smtp.envelope import CannotSend
from engine.delivery.smtp.message_queue import MessageQueue
from engine.delivery.smtp.prefetch import OutgoingMessage
from engine.delivery.smtp.relay import Limits
from engine.delivery.smtp.reply_parser import Features, InvalidReply, ReplyParser, match_accepted_round
from engine.delivery.smtp.wire import ConnectionLost, Wire

CLOSING = 421  # RFC 5321 section 3.8: the server closes the connection, whatever the command was
_QUIT_TIMEOUT_S = 2.0


class Session:
    """The state machine of one connection; owner of its wire. Raises ConnectionLost when it cannot be used any more."""

    __slots__ = (
        "_current",
        "_deadline",
        "_expects_accepted_round",
        "_has_progressed",
        "_last_unsent",
        "_limits",
        "_needs_reset",
        "_on_reply",
        "_parser",
        "_pipelines",
        "_queue",
        "_refused",
        "_remaining",
        "_transfer",
        "_unsent_commands",
        "features",
        "has_worked",
        "is_idle",
        "is_quitting",
        "last_used",
        "wire",
    )

    def __init__(self, wire: Wire, features: Features, limits: Limits) -> None:
        wire.owner = self
        self.wire = wire
        self.features = features
        self.is_idle = True  # ready to take a message
        self.is_quitting = False  # QUIT was sent
        self.last_used = time.monotonic()
        self.has_worked = False  # the server has decided about a message, after its MAIL
        self._limits = limits
        self._pipelines = features.pipelining
        self._parser = ReplyParser()
        self._on_reply: Callable[[int, bytes], None] = self._on_unexpected  # handles the next reply
        self._queue: MessageQueue
        self._remaining = limits.messages_per_connection
        self._current: OutgoingMessage | None = None  # its commands are being sent
        self._unsent_commands: list[bytes] = []  # of the current message, without pipelining
        self._refused = False  # the current message has its outcome; further replies to its commands follow
        self._needs_reset = False  # the server has an open transaction
        self._transfer = DataTransfer(wire)  # of the body that awaits its reply
        self._expects_accepted_round = False  # a body and the next commands have left, no reply was read yet
        self._has_progressed = True  # since the clock was read last
        self._last_unsent = 0
        self._deadline = 0.0

    @property
    def is_busy(self) -> bool:
        """Return True if it is sending messages."""
        return not self.is_idle and not self.is_quitting

    def in_flight(self) -> Iterator[OutgoingMessage]:
        """Return the messages whose recipient the relay may have accepted before now: body, and commands."""
        messages = (self._transfer.message, None if self._refused else self._current)
        return (each for each in messages if each is not None)

    def start(self, queue: MessageQueue) -> None:
        """Send messages from `queue` until it has no more. Raises ConnectionLost."""
        self._queue = queue
        self._start_transaction()
        self._has_progressed = True

    def quit(self) -> None:
        """Send QUIT. The connection cannot be used any more after its reply. Raises ConnectionLost."""
        self.is_idle, self.is_quitting = False, True
        self._on_reply = self._on_unexpected
        self.wire.write(b"QUIT\r\n")
        self._has_progressed = True

    def connected(self) -> None:
        """Do nothing: a session begins after its connection was made."""

    def received(self, data: bytes) -> None:
        """Handle every reply in `data`, in order. Raises ConnectionLost."""
        if self._expects_accepted_round:
            if (match := match_accepted_round(data)) is not None:
                self._continue_round(match[1])
                return
            self._expects_accepted_round = False
        if not data:
            raise ConnectionLost("the relay closed the connection")
        try:
            for code, text in self._parser.feed(data):
                self._on_reply(code, text)
        except InvalidReply as error:
            raise ConnectionLost(str(error)) from error
        self._has_progressed = True

    def _continue_round(self, answer: bytes) -> None:
        """Record that the body in flight was accepted, and send the next one, which the server awaits."""
        message = self._transfer.message
        assert message is not None  # noqa: S101  # a round begins with a body
        self._queue.accept(message, answer)
        self.has_worked = self._has_progressed = True
        self._send_body()

    def flushed(self) -> None:
        """Write the tail of a long body once everything before it has left. Raises ConnectionLost."""
        self._transfer.resume()
        self._has_progressed = True

    def is_overdue(self, now: float) -> bool:
        """Return True if the awaited reply is late (RFC 5321 section 4.5.3.2). A body that still moves is not late.

        The time counts from the first call after the last progress, which saves reading the clock for each reply.
        """
        if self._has_progressed or self.wire.unsent != self._last_unsent:
            self._has_progressed = False
            self._last_unsent = self.wire.unsent
            self._deadline = now + self._timeout_s()
        return not self.is_idle and now > self._deadline

    def lost(self, why: str) -> None:
        """Close, and record the outcomes of the messages on this connection."""
        self.wire.close()
        current, self._current = self._current, None
        if current is not None and not self._refused:
            self._queue.give_back(current, why)
        message, outcome = self._transfer.message, self._transfer.outcome_if_lost(why)
        self._transfer.finish()
        if message is None:
            return
        if outcome is None:
            self._queue.give_back(message, why)
        else:
            self._queue.settle(message, outcome)

    def _timeout_s(self) -> float:
        if self._transfer.message is not None and not self.wire.unsent:
            return self._limits.dot_timeout_s
        return _QUIT_TIMEOUT_S if self.is_quitting else self._limits.command_timeout_s

    def _next_commands(self) -> bytes:
        """Make the next message that this connection can carry the current one. Return its commands, b"" for none."""
        self._current = None
        self._refused = False
        while self._remaining:
            message = self._queue.take()
            if message is None:
                break
            try:
                self._current, commands = self._queue.envelope.prepare(message, self.features)
            except CannotSend as refusal:
                self._queue.settle(message, refusal.outcome)
                continue
            self._remaining -= 1
            return commands.encode()
        return b""

    def _start_transaction(self) -> None:
        """Send the commands of the next message, or become idle, or quit at the message limit."""
        if commands := self._next_commands():
            self.is_idle = False
            self._on_reply = self._on_rset if self._needs_reset else self._on_mail
            self._send_commands(b"RSET\r\n" + commands if self._needs_reset else commands)
        elif not self._remaining:
            self.quit()
        else:
            self.is_idle = True
            self._on_reply = self._on_unexpected
            self.last_used = time.monotonic()

    def _send_commands(self, commands: bytes) -> None:
        """Send all commands of a transaction if the server pipelines, otherwise the first one."""
        if self._pipelines:
            self.wire.write(commands)
        else:
            self._unsent_commands = commands.splitlines(keepends=True)
            self._send_next_command()

    def _send_next_command(self) -> None:
        """Send the next command unless it was pipelined."""
        if not self._pipelines:
            self.wire.write(self._unsent_commands.pop(0))

    def _on_unexpected(self, _code: int, text: bytes) -> None:
        """End the connection after a reply to no command, such as 421, or after the reply to QUIT."""
        raise _closed(text)

    def _on_rset(self, code: int, text: bytes) -> None:
        if code != 250:
            raise _closed(text)
        self._needs_reset = False
        self._on_reply = self._on_mail
        self._send_next_command()

    def _on_mail(self, code: int, text: bytes) -> None:
        self._check(Phase.MAIL, code, text)
        if self._refused and not self._pipelines:
            self._start_transaction()
        else:
            self._on_reply = self._on_rcpt
            self._send_next_command()

    def _on_rcpt(self, code: int, text: bytes) -> None:
        self._check(Phase.RCPT, code, text)
        if self._refused and not self._pipelines:
            self._needs_reset = True
            self._start_transaction()
        else:
            self._on_reply = self._on_data
            self._send_next_command()

    def _on_data(self, code: int, text: bytes) -> None:
        if code == 354 and self._refused:
            # RFC 2920 section 3.1: the server accepted DATA without a recipient; a lone dot ends it.
            self.wire.write(b".\r\n")
            self._on_reply = self._on_empty_dot
            self._needs_reset = True
            if self.features.is_lmtp:  # RFC 2033: it replies once for each recipient, here not at all
                raise ConnectionLost("DATA was accepted without a recipient")
        elif code == 354:
            self._send_body()
        else:
            self._check(Phase.DATA, code, text)
            self._needs_reset = True
            self._start_transaction()

    def _on_dot(self, code: int, text: bytes) -> None:
        message, is_complete = self._transfer.message, self._transfer.is_complete
        if message is None or 300 <= code < 400 or (code < 400 and not is_complete):
            raise InvalidReply("a reply that matches no command")
        self._transfer.finish()
        self._queue.decide(message, Phase.ANSWER, code, text)
        self.has_worked |= code != CLOSING
        if code == CLOSING or not is_complete:
            raise _closed(text)  # refused in mid-body: the server would read the rest as commands
        if self._current is None:
            self._start_transaction()
        else:
            self._on_reply = self._on_mail

    def _on_empty_dot(self, code: int, text: bytes) -> None:
        """Ignore the reply to a lone dot, unless the server closes the connection."""
        if code == CLOSING:
            raise _closed(text)
        self._start_transaction()

    def _check(self, phase: Phase, code: int, text: bytes) -> None:
        """Record a refusal of the current message; only the first reply counts."""
        if self._refused or (200 <= code < 300 and phase is not Phase.DATA):
            return
        if code < 400 or self._current is None:
            raise InvalidReply("a reply that matches no command")
        # Some servers limit the messages of a connection and reply 4yz to MAIL when the limit is reached.
        is_at_limit = phase is Phase.MAIL and code < 500 and self.has_worked
        if is_at_limit or not self._queue.decide(self._current, phase, code, text):
            raise _closed(text)
        self._refused = True
        if code == CLOSING:
            raise _closed(text)
        self.has_worked |= phase is not Phase.MAIL and self._queue.is_decided(self._current)

    def _send_body(self) -> None:
        """Write the body of the current message, followed by the next message's commands if the server pipelines."""
        message = self._current
        assert message is not None  # noqa: S101  # DATA is sent for a message
        self._current = None
        following = self._next_commands() if self._pipelines else b""
        self._on_reply = self._on_dot
        self._expects_accepted_round = (
            self._transfer.start(message, self._queue.complete, following) and following != b""
        )


def _closed(text: bytes) -> ConnectionLost:
    return ConnectionLost(replies.redact(text.decode("ascii", "replace")))
