"""Deliver batches of messages to a relay over SMTP or LMTP: messages in, outcomes out."""

from collections.abc import Callable, Iterable

from engine.delivery.outcomes import Outcome
from engine.delivery.smtp.batch import Batch, Interrupted, Log, StopSending
from engine.delivery.smtp.envelope import Envelope, OutgoingMessage
from engine.delivery.smtp.pool import Pool
from engine.delivery.smtp.prefetch import Prefetch
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
    """A few kept connections to one relay, with one body in flight on each.

    Belongs to one thread of one process: make it after a fork (R21). Not safe to share.
    """

    def __init__(self, relay: Relay, limits: Limits | None = None) -> None:
        """Nothing is connected yet. Raises InvalidInput when the relay's `ca` cannot be read."""
        self._pool = Pool(relay, limits or Limits())

    @property
    def is_open(self) -> bool:
        """Whether a connection stands, as far as is known without asking."""
        return any(session.is_idle for session in self._pool.sessions)

    @property
    def eight_bit(self) -> bool:
        """Whether the relay takes 8-bit bodies (8BITMIME), by its last greeting."""
        return self._pool.features.eight_bit

    @property
    def smtputf8(self) -> bool:
        """Whether the relay takes addresses outside ASCII (SMTPUTF8), by its last greeting."""
        return self._pool.features.smtputf8

    @property
    def failure(self) -> RelayUnavailable | None:
        """Why the relay could not be used the last time; None when it works or was not tried yet."""
        return self._pool.last_failure if self._pool.failures else None

    def limit_connections(self, connections: int) -> None:
        """Have at most so many connections from now on; idle ones that are too many are closed."""
        self._pool.limit_connections(connections)

    def open(self) -> None:
        """Have at least one live connection; safe to call again. Raises RelayUnavailable.

        After a failure it raises at once, without connecting, until `retry_after_s` has passed.
        """
        self._pool.open()

    def send(
        self,
        messages: Iterable[OutgoingMessage | None],
        mail_from: str,
        log: Log,
        *,
        tick: Callable[[], object] | None = None,
        pace: Callable[[], float] | None = None,
    ) -> dict[int, Outcome]:
        """Send `messages`, taken one by one as connections get free; the outcome of each, by slot.

        Sent, Deferred, Rejected: a reply decided, and `log.answered` had it first. InDoubt: the body was handed
        over whole and no reply came. Untried: not so far, because the relay was lost and three tries in a row
        failed. No message is tried again here once `log.complete` was called for it. `tick` is called at least
        once a second; what it, `pace` or `log` raises closes all connections and passes through (StopSending from
        `tick`: ends the batch, outcomes as above). Raises Interrupted, with the outcomes, when `messages` raises.

        `pace` is asked before a message is put on a connection: 0.0 lets it go and counts it, more is how many
        seconds to hold messages back before asking again. Replies are read and `tick` is called meanwhile. So they are
        while `messages` gives None, which says that none may go just now.

        While all connections wait for answers, messages that are an `Prefetch` are composed further.
        """
        envelope = Envelope(mail_from)
        self._pool.reap()
        return Batch(self._pool, envelope, log, tick=tick, pace=pace).run(messages)

    def close_if_idle(self) -> None:
        """Close what has been idle for `idle_s`, or was closed by the relay meanwhile."""
        self._pool.reap()

    def close(self) -> None:
        """Take leave of the relay (at most 2 s); opens again on the next use."""
        self._pool.close()

    def abort(self) -> None:
        """Close everything at once, in whatever state; what was unanswered stays so."""
        self._pool.abort()
