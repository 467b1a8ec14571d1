"""What the settings say of each relay: where it is, its weight, its limits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from engine.delivery import smtp
from engine.delivery.relays.gcra import Rate
from engine.delivery.relays.options import Options
from engine.delivery.relays.warmup import WarmUp
from errors import Fault, InvalidInput

_OURS = frozenset({"weight", "rate", "connections", "messages_per_connection", "daily", "warmup"})


@dataclass(frozen=True, slots=True)
class Plan:
    """One relay; `name` is its host and port. `connections` are those of all our processes together."""

    name: str
    relay: smtp.Relay
    limits: smtp.Limits
    weight: int = 1
    rate: Rate | None = None
    connections: int | None = None
    warm_up: WarmUp = field(default_factory=WarmUp)


def read(first: str, others: str, limits: smtp.Limits) -> list[Plan]:
    """The relay of SMTP_URL and those of SMTP_RELAYS, in their order; raises InvalidInput naming the part at fault."""
    urls = {"smtp_url": first} | {f"smtp_relays[{number}]": url for number, url in enumerate(others.split(), start=1)}
    return _with_names([_plan(place, url, limits) for place, url in urls.items()])


def _plan(place: str, url: str, limits: smtp.Limits) -> Plan:
    where, _, query = url.partition("?")
    options = Options(query, place)
    relay = _relay(place, f"{where}?{urlencode(options.rest(_OURS))}".rstrip("?"))
    rate = options.rate("rate")
    messages = options.count("messages_per_connection")
    return Plan(
        name=f"{relay.host}:{relay.port}",
        relay=relay,
        limits=replace(limits, messages_per_connection=messages) if messages else limits,
        weight=options.count("weight", most=1_000) or 1,
        rate=Rate(rate) if rate else None,
        connections=options.count("connections", most=10_000),
        warm_up=WarmUp.read(options),
    )


def _relay(place: str, url: str) -> smtp.Relay:
    try:
        return smtp.Relay.from_url(url)
    except InvalidInput as refused:
        faults = [Fault(place + fault.field.removeprefix("smtp_url"), _told(fault.message)) for fault in refused.faults]
        raise InvalidInput(faults) from None


def _told(message: str) -> str:
    """The client knows its own options alone; ours are right here, too."""
    return f"{message}, {', '.join(sorted(_OURS))}" if message.startswith("unknown option") else message


def _with_names(plans: Sequence[Plan]) -> list[Plan]:
    """Two accounts at one server are two relays: the second is called host:port#2."""
    seen: Counter[str] = Counter()
    named = []
    for plan in plans:
        seen[plan.name] += 1
        named.append(replace(plan, name=f"{plan.name}#{seen[plan.name]}") if seen[plan.name] > 1 else plan)
    return named
