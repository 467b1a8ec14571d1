"""The relays as people want to see them: what the settings say, how the senders stand with each, what is left today."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.delivery import smtp
from engine.delivery.relays import setup, status
from engine.delivery.relays.config import Plan
from engine.delivery.relays.daily_quota import Allowance, Calendar
from engine.delivery.relays.shared_rate import Member
from engine.delivery.relays.status import Standing

_TRY_S = 10.0
_WORST_FIRST = ("open", "half-open", "closed")


@dataclass(frozen=True, slots=True)
class Overview:
    """One relay: its name, its limits in words, and the standing of each process that sent of late, the worst first.

    `left_today` is what the ceiling of the day leaves; None without one.
    """

    name: str
    limits: str
    standings: tuple[Standing, ...]
    left_today: int | None


def of_all(calendar: Calendar) -> list[Overview]:
    """Every relay of the settings, in their order. Raises InvalidInput, and Unavailable without Redis."""
    store = setup.store()
    seen = status.read(store)
    nobody = Member("", 1)
    return [
        Overview(
            plan.name,
            ", ".join(_limits(plan)),
            tuple(sorted(seen.get(plan.name, ()), key=lambda one: _WORST_FIRST.index(one.state))),
            Allowance(store, plan.name, plan.warm_up, calendar, nobody).left(),
        )
        for plan in setup.plans()
    ]


def try_out() -> Iterator[tuple[str, str]]:
    """Connect to each relay, with TLS and credentials, and take leave: its name, and what failed or ''."""
    for plan in setup.plans():
        transport = smtp.Transport(plan.relay, replace(plan.limits, connect_timeout_s=_TRY_S))
        try:
            transport.open()
        except smtp.RelayUnavailable as error:
            yield plan.name, str(error)
        else:
            transport.close()
            yield plan.name, ""


def _limits(plan: Plan) -> Iterator[str]:
    yield f"weight {plan.weight}"
    if plan.rate:
        yield f"{plan.rate.per_s:g}/s"
    if plan.connections:
        yield f"{plan.connections} connections"
    if plan.warm_up.daily:
        yield f"{plan.warm_up.daily} a day"
    if plan.warm_up.starts:
        yield f"warm-up from {plan.warm_up.starts} with {plan.warm_up.first}, times {plan.warm_up.growth:g} a day"
