"""One relay with all that governs its use: connections, breaker, rate, daily ceiling."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from engine.delivery import smtp
from engine.delivery.outcomes import Deferred, Outcome, Paced, Sent, Untried
from engine.delivery.relays.breaker import Breaker
from engine.delivery.relays.config import Plan
from engine.delivery.relays.connection_quota import Seats
from engine.delivery.relays.daily_quota import Allowance, Calendar
from engine.delivery.relays.pacer import BLOCK_S, Pacer
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Member, Shared
from engine.delivery.relays.status import Standing
from engine.delivery.smtp import Reason

PROBE = 10  # messages of the group that tries a relay after its rest
_FULL_REST_S = 60.0  # at the ceiling of the day: how soon to look whether it is another day
_LASTING = frozenset({Reason.AUTH, Reason.AUTH_UNSAFE, Reason.CERTIFICATE, Reason.TLS, Reason.TLS_MISSING})
# Temporary refusals that speak of the relay, not of a mailbox: its system, its network (RFC 3463 sections 3.4, 3.5).
_OF_THE_RELAY = ("4.3.", "4.4.")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all relays of a process share: Redis, who this process is, the calendar."""

    store: Store
    member: Member
    calendar: Calendar


class Way:
    """One way out. `served` grows by messages over weight: the way with the least is next."""

    def __init__(self, plan: Plan, around: Surroundings) -> None:
        store, member, name = around.store, around.member, plan.name
        self.plan = plan
        self.served = 0.0
        self.breaker = Breaker()
        self.transport = smtp.Transport(plan.relay, plan.limits)
        self._pacer = Pacer(Shared(store, name, plan.rate, member)) if plan.rate else None
        self._seats = Seats(store, name, plan.connections, member) if plan.connections else None
        has_ceiling = plan.warm_up.daily or plan.warm_up.starts
        self._allowance = Allowance(store, name, plan.warm_up, around.calendar, member) if has_ceiling else None

    def rests_for_s(self, *, is_urgent: bool) -> float:
        """The seconds until it can take a message; 0.0 for now. Asks Redis now and then, where there are limits."""
        if rest_s := self.breaker.rests_for_s:
            return rest_s
        if self._allowance is not None and not is_urgent and self._allowance.left() == 0:
            return _FULL_REST_S
        if self._pacer is None:
            return 0.0
        self._pacer.is_urgent = is_urgent
        return self._pacer.wait_s()

    def room(self, limit: int, *, is_alone: bool) -> int:
        """How many messages the next group may have: as many as leave within a second, beside others within 0.1 s."""
        if self.breaker.state == "half-open":
            limit = min(limit, PROBE)
        if self._allowance is not None:
            left = self._allowance.left()
            limit = limit if left is None else min(limit, max(1, left))
        if self._pacer is None:
            return limit
        in_a_second = self._pacer.in_a_second()
        return min(limit, in_a_second if is_alone else ceil(in_a_second * BLOCK_S))

    def open(self) -> None:
        """Have a live connection. Raises RelayUnavailable, which the breaker then knows of."""
        self._sit()
        try:
            self.transport.open()
        except smtp.RelayUnavailable as error:
            if error.reason is not Reason.PAUSED:
                self._failed(error)
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
        """As `smtp.Transport.send`, within the limits; what is over the ceiling of the day comes back Paced."""
        self._sit()
        if self._allowance is None:
            outcomes = self.transport.send(messages, mail_from, log, tick=tick, pace=self._pacer)
            self._judge(outcomes)
            return outcomes
        over: dict[int, Outcome] = {}
        counted = _counted(messages, self._allowance, over, is_urgent=is_urgent)
        outcomes = self.transport.send(counted, mail_from, log, tick=tick, pace=self._pacer)
        self._allowance.put_back(sum(isinstance(outcome, Untried) for outcome in outcomes.values()))
        self._judge(outcomes)
        return outcomes | over

    def rest(self) -> None:
        """Nothing is to be sent now: close what is stale, and leave our seats to those who send."""
        self.transport.close_if_idle()
        if self._seats is not None and self.transport.is_open:
            self.transport.allow(self._seats.leave())

    def standing(self) -> Standing:
        """How it stands with this relay, as this process sees it."""
        breaker = self.breaker
        return Standing(self.plan.name, breaker.state, breaker.why, round(breaker.rests_for_s, 1))

    def _sit(self) -> None:
        """Use as many connections as are ours now; one alone to try a relay after its rest."""
        most = self.plan.limits.connections
        if self._seats is not None:
            most = self._seats.share(most)
        self.transport.allow(1 if self.breaker.state == "half-open" else most)

    def _failed(self, error: smtp.RelayUnavailable) -> None:
        self.breaker.failed(str(error), is_lasting=error.reason in _LASTING, pause_s=error.retry_after_s)

    def _judge(self, outcomes: Mapping[int, Outcome]) -> None:
        failure = self.transport.failure
        if failure is not None:
            self._failed(failure)
            return
        others = [outcome for outcome in outcomes.values() if not isinstance(outcome, Sent)]  # of nearly all, none
        back = [words for outcome in others if (words := _words_of_the_relay(outcome))]
        self.breaker.carried(len(outcomes), len(back), back[0] if back else "")


def _words_of_the_relay(outcome: Outcome) -> str:
    """What was said of the relay itself, in refusing to take a message now; empty when nothing was."""
    match outcome:
        case Untried(response):
            return response
        case Deferred(code=code, status=status, response=response):
            return response if code == 421 or (status or "").startswith(_OF_THE_RELAY) else ""
    return ""


def _counted(
    messages: Iterable[smtp.OutgoingMessage | None], allowance: Allowance, over: dict[int, Outcome], *, is_urgent: bool
) -> Iterator[smtp.OutgoingMessage | None]:
    for message in messages:
        if message is None or allowance.take(is_urgent=is_urgent):
            yield message
        else:
            over[message.slot] = Paced(1.0)
