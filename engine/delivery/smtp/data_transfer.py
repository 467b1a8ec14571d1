"""The transfer of one message body: the part that was sent decides the outcome if the connection breaks (R14)."""

from collections.abc import Callable

from engine.delivery.outcomes import InDoubt, Untried
from engine.delivery.smtp.envelope import dot_stuffed
from engine.delivery.smtp.prefetch import OutgoingMessage
from engine.delivery.smtp.wire import Wire

# A longer body leaves in two steps, so that only a body that may be complete is recorded as complete.
_ONE_STEP = 65_536
_TAIL = 1_024


class DataTransfer:
    """The body in flight on one connection, up to its final dot, followed by the next message's commands.

    `message` is the one whose body is in flight, None for none.
    """

    __slots__ = ("_complete", "_following", "_tail", "_wire", "message")

    def __init__(self, wire: Wire) -> None:
        self.message: OutgoingMessage | None = None
        self._wire = wire
        self._complete: Callable[[int], object]
        self._tail: bytes | None = None  # the end of a long body, kept until everything before it has left
        self._following = 0  # bytes written after the final dot

    def start(self, message: OutgoingMessage, complete: Callable[[int], object], following: bytes) -> bool:
        """Write the body and then `following`. Return True if everything has left. Raises ConnectionLost.

        Calls `complete` with the slot before the write that can carry the final dot.
        """
        self.message = message
        body = dot_stuffed(message.data, following, has_no_dots=message.has_no_dots)
        self._following = len(following)
        if len(body) <= _ONE_STEP:
            complete(message.slot)
            self._wire.write(body)
        else:
            self._complete = complete
            split = len(body) - len(following) - _TAIL
            self._tail = body[split:]
            self._wire.write(body[:split])
            self.resume()
        return not self._wire.unsent and self._tail is None

    def resume(self) -> None:
        """Write the tail of a long body once everything before it has left. Raises ConnectionLost."""
        if self._tail is not None and self.message is not None and not self._wire.unsent:
            tail, self._tail = self._tail, None
            self._complete(self.message.slot)
            self._wire.write(tail)

    def finish(self) -> None:
        """End the transfer after its reply."""
        self.message = self._tail = None

    @property
    def is_complete(self) -> bool:
        """Return True if the kernel has the whole body, including the final dot."""
        return self._tail is None and self._wire.unsent <= self._following

    def outcome_if_lost(self, why: str) -> InDoubt | Untried | None:
        """Return the outcome if the connection breaks now, None if the message may be tried again at once.

        The server cannot have accepted a message whose dot never left. But if that message was recorded as complete,
        it must not be recorded a second time, so it is Untried.
        """
        if self._tail is not None:
            return None
        return InDoubt(why) if self.is_complete else Untried(why)
