"""One relay with everything that governs its use: connections, circuit breaker, rate and daily limit."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from engine.delivery import smtp
from engine.delivery.outcomes import Deferred, Outcome, Paced, Sent, Untried
from engine.delivery.relays.breaker import Breaker, RelayStatus
from engine.delivery.relays.config import RelayConfig
from engine.delivery.relays.connection_quota import ConnectionQuota
from engine.delivery.relays.daily_quota import Calendar, DailyQuota
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import BLOCK_S, RateLimiter, Sender, SharedRate
from engine.delivery.smtp import Reason

HALF_OPEN_GROUP = 10  # messages in the group that tries a relay after its breaker was open
_DAY_RETRY_S = 60.0  # at the daily limit: how soon to check whether a new day has begun
_LASTING = frozenset(
    {Reason.AUTH, Reason.AUTH_UNSAFE, Reason.CERTIFICATE, Reason.TLS, Reason.TLS_MISSING, Reason.REFUSED, Reason.BUSY}
)
# Temporary refusals that concern the relay's system or network, not a mailbox (RFC 3463 sections 3.4 and 3.5).
_RELAY_STATUSES = ("4.3.", "4.4.")


@dataclass(frozen=True, slots=True)
class SharedState:
    """State that all relays of a process share: Redis, the identity of the process, and the calendar."""

    store: Store
    sender: Sender
    calendar: Calendar


class RelayChannel:
    """One configured relay. `load` is the messages it carried divided by its weight: the lowest is used next."""

    def __init__(self, config: RelayConfig, shared: SharedState) -> None:
        store, sender, name = shared.store, shared.sender, config.name
        self.config = config
        self.load = 0.0
        self.breaker = Breaker()
        self.transport = smtp.Transport(config.relay, config.limits)
        self._limiter = RateLimiter(SharedRate(store, name, config.rate, sender)) if config.rate else None
        self._connections = ConnectionQuota(store, name, config.connections, sender) if config.connections else None
        is_limited = config.warm_up.daily or config.warm_up.starts
        self._daily = DailyQuota(store, name, config.warm_up, shared.calendar, sender) if is_limited else None

    def retry_after_s(self, *, is_urgent: bool) -> float:
        """Return the seconds until it can take a message, 0.0 for now. With limits it sometimes asks Redis."""
        if pause_s := self.breaker.retry_after_s:
            return pause_s
        if self._daily is not None and not is_urgent and self._daily.remaining() == 0:
            return _DAY_RETRY_S
        if self._limiter is None:
            return 0.0
        self._limiter.is_urgent = is_urgent
        return self._limiter.wait_s()

    def capacity(self, limit: int, *, is_only_choice: bool) -> int:
        """Return the size of the next group: what leaves within a second, or 0.1 s when other relays are usable."""
        if self.breaker.state == "half-open":
            limit = min(limit, HALF_OPEN_GROUP)
        if self._daily is not None:
            remaining = self._daily.remaining()
            limit = limit if remaining is None else min(limit, max(1, remaining))
        if self._limiter is None:
            return limit
        per_second = self._limiter.per_second()
        return min(limit, per_second if is_only_choice else ceil(per_second * BLOCK_S))

    def open(self) -> None:
        """Ensure one live connection. Records a failure in the breaker and raises RelayUnavailable."""
        self._apply_connection_limit()
        try:
            self.transport.open()
        except smtp.RelayUnavailable as error:
            if error.reason is not Reason.PAUSED:
                self._record_failure(error)
            raise

    def send(
        self,
        messages: Iterable[smtp.OutgoingMessage | None],
        mail_from: str,
        log: smtp.Log,
        *,
        tick: Callable[[], object] | None,
        is_urgent: bool,
    ) -> dict[int, Outcome]:
        """Send like `smtp.Transport.send`, within the limits; messages over the daily limit get the outcome Paced."""
        self._apply_connection_limit()
        if self._daily is None:
            outcomes = self.transport.send(messages, mail_from, log, tick=tick, pace=self._limiter)
            self._record_outcomes(outcomes)
            return outcomes
        over_limit: dict[int, Outcome] = {}
        allowed = _within_daily_limit(messages, self._daily, over_limit, is_urgent=is_urgent)
        outcomes = self.transport.send(allowed, mail_from, log, tick=tick, pace=self._limiter)
        self._daily.give_back(sum(isinstance(outcome, Untried) for outcome in outcomes.values()))
        self._record_outcomes(outcomes)
        return outcomes | over_limit

    def idle(self) -> None:
        """Close idle connections and release shared ones. Call this when there is nothing to send."""
        self.transport.close_if_idle()
        if self._connections is not None and self.transport.is_open:
            self.transport.limit_connections(self._connections.release())

    def status(self) -> RelayStatus:
        """Return the status of the relay as this process sees it."""
        breaker = self.breaker
        return RelayStatus(self.config.name, breaker.state, breaker.why, round(breaker.retry_after_s, 1))

    def _apply_connection_limit(self) -> None:
        """Use the connections granted to this process now, one alone while the breaker is half-open."""
        limit = self.config.limits.connections
        if self._connections is not None:
            limit = self._connections.reserve(limit)
        self.transport.limit_connections(1 if self.breaker.state == "half-open" else limit)

    def _record_failure(self, error: smtp.RelayUnavailable) -> None:
        self.breaker.record_failure(
            str(error.of(self.config.name)), is_lasting=error.reason in _LASTING, pause_s=error.retry_after_s
        )

    def _record_outcomes(self, outcomes: Mapping[int, Outcome]) -> None:
        failure = self.transport.failure
        if failure is not None:
            self._record_failure(failure)
            return
        unsent = [outcome for outcome in outcomes.values() if not isinstance(outcome, Sent)]  # nearly always empty
        failures = [text for outcome in unsent if (text := _relay_failure(outcome))]
        self.breaker.record_group(len(outcomes), len(failures), failures[0] if failures else "")


def _relay_failure(outcome: Outcome) -> str:
    """Return the reply if it says that the relay itself, and not a mailbox, cannot take the message now, else ""."""
    match outcome:
        case Untried(response):
            return response
        case Deferred(code=code, status=status, response=response):
            return response if code == 421 or (status or "").startswith(_RELAY_STATUSES) else ""
    return ""


def _within_daily_limit(
    messages: Iterable[smtp.OutgoingMessage | None],
    quota: DailyQuota,
    over_limit: dict[int, Outcome],
    *,
    is_urgent: bool,
) -> Iterator[smtp.OutgoingMessage | None]:
    """Yield the messages that the quota allows; note the others in `over_limit`, by slot."""
    for message in messages:
        if message is None or quota.take(is_urgent=is_urgent):
            yield message
        else:
            over_limit[message.slot] = Paced(1.0)
