"""A body on its way: how much of it has left decides what a broken connection makes of its message (R14)."""

from collections.abc import Callable

from engine.delivery.outcomes import InDoubt, Untried
from engine.delivery.smtp.envelope import OutgoingMessage, transparent
from engine.delivery.smtp.wire import Wire

# A body longer than this leaves in two steps, so that "complete" is said only of what may be complete.
_WHOLE = 65_536
_TAIL = 1_024


class Flight:
    """The body in flight on one wire, written up to its final dot, with the next envelope behind it.

    `message` is whose body it is, None while none is in flight.
    """

    __slots__ = ("_behind", "_complete", "_tail", "_wire", "message")

    def __init__(self, wire: Wire) -> None:
        self.message: OutgoingMessage | None = None
        self._wire = wire
        self._complete: Callable[[int], object]
        self._tail: bytes | None = None  # the end of a long body, kept until all before it has left
        self._behind = 0  # bytes written after the final dot

    def depart(self, message: OutgoingMessage, complete: Callable[[int], object], behind: bytes) -> bool:
        """Write the message's body, and `behind` after its final dot; whether all of it has left. Raises Lost.

        `complete` is called with its slot before the write that can carry the final dot.
        """
        self.message = message
        body = transparent(message.data, behind, has_no_dots=message.has_no_dots)
        self._behind = len(behind)
        if len(body) <= _WHOLE:
            complete(message.slot)
            self._wire.write(body)
        else:
            self._complete = complete
            split = len(body) - len(behind) - _TAIL
            self._tail = body[split:]
            self._wire.write(body[:split])
            self.go_on()
        return not self._wire.unsent and self._tail is None

    def go_on(self) -> None:
        """Write the tail of a long body, once the rest has left. Raises Lost."""
        if self._tail is not None and self.message is not None and not self._wire.unsent:
            tail, self._tail = self._tail, None
            self._complete(self.message.slot)
            self._wire.write(tail)

    def land(self) -> None:
        """It was answered: nothing is in flight any more."""
        self.message = self._tail = None

    @property
    def has_landed(self) -> bool:
        """Whether the kernel has all of the body, the final dot included."""
        return self._tail is None and self._wire.unsent <= self._behind

    def fate(self, why: str) -> InDoubt | Untried | None:
        """What a loss of the connection makes of the message; None where it may be tried again at once.

        A dot that never left cannot have been obeyed; but what was marked complete once is not marked again.
        """
        if self._tail is not None:
            return None
        return InDoubt(why) if self.has_landed else Untried(why)
