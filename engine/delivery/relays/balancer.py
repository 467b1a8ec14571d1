"""All relays as one transport: each group of messages goes over one of them, or the next one when that fails."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from uuid import uuid4

import settings
from engine.delivery import smtp
from engine.delivery.outcomes import Outcome
from engine.delivery.relays import config, redis_store
from engine.delivery.relays.daily_quota import Calendar
from engine.delivery.relays.domain_limits import Admission, DomainLimits
from engine.delivery.relays.relay import RelayChannel, SharedState
from engine.delivery.relays.shared_rate import Sender
from engine.delivery.relays.status import StatusBoard
from engine.delivery.smtp import Reason

log = logging.getLogger("cadencia.relays")

_NOW_S = 0.005
_SOON_S = 1.0  # a rate with a permit within this time is waited for; otherwise the sender comes back later


def create(calendar: Calendar) -> "Relays":
    """Return the relays of the settings for this process, after its fork; connects nothing. Raises InvalidInput."""
    sender = Sender(uuid4().hex, settings.current().pace_senders)
    store = redis_store.configured()
    shared = SharedState(store, sender, calendar)
    channels = [RelayChannel(relay, shared) for relay in config.relays()]
    limits = config.domain_limits()
    domains = DomainLimits(limits, store, sender) if limits else None
    return Relays(channels, domains, StatusBoard(store, sender.name))


class Relays:
    """The interface of `smtp.Transport` over several of them. Belongs to one thread of one process, as they do.

    Each group goes to the relay with the lowest load among those that can take it now; on a tie to the first.
    `may_take`, `is_open` and `open` concern this next relay, until `send` has used it.
    """

    def __init__(self, channels: Sequence[RelayChannel], domains: DomainLimits | None, board: StatusBoard) -> None:
        """Connect nothing yet."""
        self.paused_until = 0.0  # monotonic: when to ask again after `may_take` returned 0
        self.failure = ""  # why the last `send` left messages untried
        self._channels = channels
        self._domains = domains
        self._board = board
        self._next: RelayChannel | None = None
        self._admission: Admission | None = None
        self._usable: Sequence[RelayChannel] = tuple(channels)
        self._load = 0.0
        self._is_urgent = False

    @property
    def is_open(self) -> bool:
        """Return True if there is a connection to the next relay."""
        channel = self._choose()
        return channel is not None and channel.transport.is_open

    @property
    def name(self) -> str:
        """Return the name of the next relay, as `outbox relays` shows it."""
        return self._chosen().config.name

    @property
    def eight_bit(self) -> bool:
        """Return True if the next relay takes 8-bit bodies."""
        return self._chosen().transport.eight_bit

    @property
    def smtputf8(self) -> bool:
        """Return True if the next relay takes addresses outside ASCII."""
        return self._chosen().transport.smtputf8

    def may_take(self, limit: int, *, is_urgent: bool = False) -> int:
        """Return the size of the next group, at most `limit`; 0 for none before `paused_until`.

        Urgent messages precede others where a rate is shared, and the daily limit does not stop them.
        """
        self._is_urgent = is_urgent
        self._next = None
        channel = self._choose()
        if channel is None:
            return 0
        return channel.capacity(limit, is_only_choice=len(self._usable) == 1)

    def open(self) -> None:
        """Ensure a live connection to the next relay, or to the one after it. Raises RelayUnavailable."""
        failed: list[RelayChannel] = []
        first_error: smtp.RelayUnavailable | None = None
        while (channel := self._choose(failed)) is not None:
            try:
                channel.open()
            except smtp.RelayUnavailable as error:
                first_error = first_error or error.of(channel.config.name)
                self._publish(channel)
                failed.append(channel)
                self._next = None
            else:
                return
        raise self._unavailable(first_error)

    def send_order(self, addresses: Sequence[str], refused: Collection[int]) -> Iterable[int | None]:
        """Return the slots of messages to `addresses` in the order in which they may leave; None while none may.

        `refused` holds the slots that turned out not to be sent. The order may end without all slots.
        """
        if self._domains is None:
            return range(len(addresses))
        self._admission = self._domains.admission(addresses, refused, is_urgent=self._is_urgent)
        return self._admission

    def send(
        self,
        messages: Iterable[smtp.OutgoingMessage | None],
        mail_from: str,
        recorder: smtp.Log,
        *,
        tick: Callable[[], object] | None = None,
    ) -> dict[int, Outcome]:
        """Send like `smtp.Transport.send`; a message over the limit of its domain gets the outcome Paced."""
        channel, admission, is_urgent = self._chosen(), self._admission, self._is_urgent
        paced: dict[int, Outcome] = {}
        log = recorder
        if admission is not None:
            log, tick = admission.watch(recorder), _both(admission.renew, tick)
        try:
            outcomes = channel.send(messages, mail_from, log, tick=tick, is_urgent=is_urgent)
        finally:
            self._next = self._admission = None
            if admission is not None:
                paced = admission.close()
        failure = channel.transport.failure
        self.failure = str(failure.of(channel.config.name)) if failure is not None else ""
        channel.load += len(outcomes) / channel.config.weight
        self._publish(channel)
        return outcomes | paced if paced else outcomes

    def retry_after_s(self) -> float:
        """Return the seconds until a relay may be tried, 0.0 for now."""
        return min(channel.breaker.retry_after_s for channel in self._channels)

    def next_due_in_s(self) -> float | None:
        """Return the seconds until a message that was over its domain's limit is due again, None without one."""
        return self._domains.next_due_in_s() if self._domains is not None else None

    def close_if_idle(self) -> None:
        """Close connections that were idle for too long, and release shared ones to processes that send."""
        for channel in self._channels:
            channel.idle()

    def close(self) -> None:
        """Send QUIT to every relay and close; the next use opens again."""
        for channel in self._channels:
            channel.idle()
            channel.transport.close()

    def abort(self) -> None:
        """Close everything at once, in any state."""
        for channel in self._channels:
            channel.transport.abort()

    def _chosen(self) -> RelayChannel:
        return self._choose() or self._channels[0]

    def _choose(self, failed: Collection[RelayChannel] = ()) -> RelayChannel | None:
        """Return the next relay, None if no relay can be used now."""
        if self._next is None:
            self._next = self._lowest_load(failed)
        return self._next

    def _lowest_load(self, failed: Collection[RelayChannel]) -> RelayChannel | None:
        waits_s = {channel: channel.retry_after_s(is_urgent=self._is_urgent) for channel in self._channels}
        usable = _usable({channel: wait_s for channel, wait_s in waits_s.items() if channel not in failed})
        if not usable:
            self.paused_until = time.monotonic() + max(min(waits_s.values()), _NOW_S)
            return None
        for channel in usable:
            if channel not in self._usable:  # a relay does not catch up on messages that it missed while unusable
                channel.load = max(channel.load, self._load)
        self._usable = usable
        chosen = min(usable, key=lambda channel: channel.load)
        self._load = chosen.load
        return chosen

    def _unavailable(self, error: smtp.RelayUnavailable | None) -> smtp.RelayUnavailable:
        if error is None:
            first = self._channels[0]
            error = smtp.RelayUnavailable(Reason.PAUSED, first.breaker.why).of(first.config.name)
        error.retry_after_s = max(0.0, self.paused_until - time.monotonic())
        return error

    def _publish(self, channel: RelayChannel) -> None:
        """Publish the status of the relay, and log a change of its state."""
        status = channel.status()
        if self._board.publish(status) and (status.state != "closed" or status.why):
            level = logging.ERROR if status.state == "open" else logging.WARNING
            log.log(level, "relay_%s relay=%s why=%s", status.state.replace("-", "_"), status.name, status.why)


def _both(first: Callable[[], object], second: Callable[[], object] | None) -> Callable[[], object]:
    def both() -> None:
        first()
        if second is not None:
            second()

    return both


def _usable(waits_s: Mapping[RelayChannel, float]) -> Sequence[RelayChannel]:
    """Return the relays that can take a message now, or else the one that can soonest if only its rate delays it."""
    now = [channel for channel, wait_s in waits_s.items() if wait_s <= _NOW_S]
    soon = [channel for channel, wait_s in waits_s.items() if wait_s <= _SOON_S and not channel.breaker.retry_after_s]
    return now or sorted(soon, key=lambda channel: waits_s[channel])[:1]
