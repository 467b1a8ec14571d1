"""Messages to send, and their prefetch: composed in blocks, ahead of the connections that take them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class OutgoingMessage(NamedTuple):
    """One message for one recipient; `slot` is its place in the group, 0 to n - 1.

    `data` is the whole RFC 5322 message, every line ended by CRLF, not dot-stuffed. The composer can guarantee the line
    ends (`has_only_crlf`) and that no line begins with a dot (`has_no_dots`), which saves checks of 3 and 2 µs.
    `sender` is its envelope sender if it differs from that of the group.
    """

    slot: int
    recipient: str
    data: bytes
    has_only_crlf: bool = False
    has_no_dots: bool = False
    sender: str = ""


@dataclass(frozen=True, slots=True)
class PrefetchSizes:
    """Number of bytes to compose at once.

    Composing one message at a time, in turn with sending, makes each evict the other from the processor's caches: a
    sending process then takes a tenth longer (measured against PostgreSQL's time in the same runs). While all
    connections wait for replies a smaller block is composed, because a reply may arrive at any moment. The limit is a
    few milliseconds of work, because what is composed and not sent is lost.
    """

    block: int = 262_144
    block_while_waiting: int = 20_000
    limit: int = 1_048_576


class Prefetch:
    """Messages in the order of `slots`, iterated once; `compose` returns None for a message that cannot be sent.

    None among the slots means that no message may leave just now; it is passed on as None.
    """

    def __init__(
        self,
        slots: Iterable[int | None],
        compose: Callable[[int], OutgoingMessage | None],
        sizes: PrefetchSizes = PrefetchSizes(),
    ) -> None:
        self._slots = iter(slots)
        self._compose = compose
        self._sizes = sizes
        self._ready: deque[OutgoingMessage | None] = deque()
        self._ready_bytes = 0
        # An order that depends on the moment must be asked only when a connection takes a message.
        self._may_run_ahead = isinstance(slots, Sequence)

    @property
    def wants_more(self) -> bool:
        """Return True if composing more messages now, before a connection asks for them, is useful."""
        return self._may_run_ahead and self._ready_bytes < self._sizes.limit

    def __iter__(self) -> Iterator[OutgoingMessage | None]:
        """Yield the messages as connections ask for them; None while none may leave."""
        ready, block = self._ready, self._sizes.block
        while ready or self._compose_block(block):
            message = ready.popleft()
            if message is not None:
                self._ready_bytes -= len(message.data)
            yield message

    def compose_more(self) -> None:
        """Compose a few messages. Call this when there is nothing else to do and `wants_more` is True."""
        self._compose_block(self._sizes.block_while_waiting)

    def end(self) -> None:
        """Yield no more messages; those that no connection has taken stay unsent."""
        self._slots = iter(())
        self._ready.clear()
        self._ready_bytes, self._may_run_ahead = 0, False

    def _compose_block(self, max_bytes: int) -> bool:
        """Compose messages of about `max_bytes`. Return True if there is anything to yield."""
        ready, compose, size = self._ready, self._compose, 0
        for slot in self._slots:
            if slot is None:
                ready.append(None)
                break
            if message := compose(slot):
                ready.append(message)
                size += len(message.data)
                if size >= max_bytes:
                    break
        else:
            self._may_run_ahead = False
        self._ready_bytes += size
        return bool(ready)
