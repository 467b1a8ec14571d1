"""An SMTP and LMTP client that sends batches of messages to one relay and returns their outcomes."""

from collections.abc import Callable, Iterable

from engine.delivery.outcomes import Outcome
from engine.delivery.smtp.batch import Batch, Interrupted, StopSending
from engine.delivery.smtp.envelope import Envelope, wire_address
from engine.delivery.smtp.handshake import Trial
from engine.delivery.smtp.message_queue import Log, MessageQueue
from engine.delivery.smtp.pool import Pool
from engine.delivery.smtp.prefetch import OutgoingMessage, Prefetch
from engine.delivery.smtp.relay import Limits, Reason, Relay, RelayUnavailable

__all__ = [
    "Interrupted",
    "Limits",
    "Log",
    "OutgoingMessage",
    "Prefetch",
    "Reason",
    "Relay",
    "RelayUnavailable",
    "StopSending",
    "Transport",
]


class Transport:
    """A few kept connections to one relay, with at most one body in flight on each.

    Belongs to one thread of one process: create it after a fork (R21). Not safe to share.
    """

    def __init__(self, relay: Relay, limits: Limits | None = None) -> None:
        """Connect nothing yet. Raises InvalidInput if the relay's `ca` cannot be read."""
        self._pool = Pool(relay, limits or Limits())

    @property
    def is_open(self) -> bool:
        """Return True if there is an idle connection, as far as is known without asking the server."""
        return any(session.is_idle for session in self._pool.sessions)

    @property
    def eight_bit(self) -> bool:
        """Return True if the relay takes 8-bit bodies (8BITMIME), by its last EHLO reply."""
        return self._pool.features.eight_bit

    @property
    def smtputf8(self) -> bool:
        """Return True if the relay takes addresses outside ASCII (SMTPUTF8), by its last EHLO reply."""
        return self._pool.features.smtputf8

    @property
    def failure(self) -> RelayUnavailable | None:
        """Return why the relay could not be used the last time, None if it works or was not tried yet."""
        return self._pool.last_failure if self._pool.failures else None

    def limit_connections(self, connections: int) -> None:
        """Use at most so many connections from now on, and close idle ones beyond that."""
        self._pool.limit_connections(connections)

    def open(self) -> None:
        """Ensure one live connection. Safe to call again. Raises RelayUnavailable.

        After a failure it raises at once, without connecting, until `retry_after_s` has passed.
        """
        self._pool.open()

    def check(self, mail_from: str, recipient: str) -> None:
        """Connect, and ask whether the relay takes an e-mail between these addresses. Sends none.

        Raises RelayUnavailable if not, ValueError for an address that is invalid in a command.
        """
        self._pool.open(Trial(wire_address(mail_from), wire_address(recipient)))

    def send(
        self,
        messages: Iterable[OutgoingMessage | None],
        mail_from: str,
        log: Log,
        *,
        tick: Callable[[], object] | None = None,
        pace: Callable[[], float] | None = None,
    ) -> dict[int, Outcome]:
        """Send `messages`, taken one by one as connections become free, and return the outcome of each by slot.

        Sent, Deferred, Rejected: a reply decided, and `log.answered` was called before. InDoubt: the whole body was
        sent and no reply came. Untried: anything less, after the relay was lost and three tries in a row failed, or
        because it refuses us: then some slots may be missing, and `failure` says so, unless the relay took messages
        meanwhile. No message is tried again here once `log.complete` was called for it.

        `tick` is called at least once a second. An exception from `tick`, `pace` or `log` closes all connections and is
        raised here, except StopSending from `tick`, which ends the batch with the outcomes so far. If iterating over
        `messages` raises, Interrupted is raised with the outcomes.

        `pace` is called before a message is given to a connection: 0.0 lets it leave and counts it, any other result is
        the seconds until the next call. A None among `messages` says that none may leave just now. In the meantime
        replies are read and `tick` is called. While all connections wait for replies, a `Prefetch` composes ahead.
        """
        envelope = Envelope(mail_from)
        self._pool.close_idle()
        queue = MessageQueue(messages, envelope, log, pace=pace, history=self._pool.history)
        return Batch(self._pool, queue, tick).run()

    def close_if_idle(self) -> None:
        """Close connections that were idle for `idle_s` or that the relay has closed."""
        self._pool.close_idle()

    def close(self) -> None:
        """Send QUIT and close (at most 2 s); the next use opens again."""
        self._pool.close()

    def abort(self) -> None:
        """Close everything at once, in any state; messages without a reply keep that state."""
        self._pool.abort()
