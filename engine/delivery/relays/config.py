"""The relays and domain limits of the settings: SMTP_URL, SMTP_RELAYS and DOMAIN_LIMITS."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import settings
from engine.delivery import smtp
from engine.delivery.relays.daily_quota import WarmUp
from engine.delivery.relays.gcra import Rate
from engine.delivery.relays.options import Options
from errors import Fault, InvalidInput

_OPTIONS = frozenset({"weight", "rate", "connections", "messages_per_connection", "daily", "warmup"})
_DOMAINS = re.compile(r"[\w-]+(\.[\w-]+)+(,[\w-]+(\.[\w-]+)+)*")


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """One relay; `name` is its host and port. `connections` is the limit for all our processes together."""

    name: str
    relay: smtp.Relay
    limits: smtp.Limits
    weight: int = 1
    rate: Rate | None = None
    connections: int | None = None
    warm_up: WarmUp = field(default_factory=WarmUp)


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """Recipient domains that share one limit, as in `hotmail.com,outlook.com?rate=20&connections=4`."""

    names: tuple[str, ...]
    rate: Rate | None
    connections: int | None


def relays() -> list[RelayConfig]:
    """Return the relays of SMTP_URL and SMTP_RELAYS, in their order. Raises InvalidInput."""
    configured = settings.current()
    limits = smtp.Limits(
        connections=configured.smtp_connections,
        messages_per_connection=configured.smtp_messages_per_connection,
        idle_s=configured.smtp_idle_s,
        connect_timeout_s=configured.smtp_connect_timeout_s,
        command_timeout_s=configured.smtp_command_timeout_s,
        dot_timeout_s=configured.smtp_dot_timeout_s,
    )
    others = configured.smtp_relays.get_secret_value() if configured.smtp_relays else ""
    return parse_relays(configured.smtp_url.get_secret_value(), others, limits)


def domain_limits() -> list[DomainLimit]:
    """Return the limits of DOMAIN_LIMITS. Raises InvalidInput."""
    return parse_domain_limits(settings.current().domain_limits)


def check() -> None:
    """Raise InvalidInput if the settings of relays or limits cannot be used."""
    relays()
    domain_limits()


def parse_relays(first: str, others: str, limits: smtp.Limits) -> list[RelayConfig]:
    """Parse the relay URL `first` and those in `others`, separated by blanks. Raises InvalidInput naming the part."""
    urls = {"smtp_url": first} | {f"smtp_relays[{number}]": url for number, url in enumerate(others.split(), start=1)}
    return _with_unique_names([_parse_relay(place, url, limits) for place, url in urls.items()])


def parse_domain_limits(text: str) -> list[DomainLimit]:
    """Parse limits, separated by blanks. Raises InvalidInput naming the limit by its number."""
    limits = [_parse_domain_limit(number, limit) for number, limit in enumerate(text.split(), start=1)]
    names = [name for limit in limits for name in limit.names]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InvalidInput.of("domain_limits", f"{min(repeated)} is in it twice; give each domain once")
    return limits


def _parse_domain_limit(number: int, limit: str) -> DomainLimit:
    names, _, query = limit.lower().partition("?")
    place = f"domain_limits[{number}]"
    if not _DOMAINS.fullmatch(names):
        raise InvalidInput.of(place, "expected domains and limits, as gmail.com,googlemail.com?rate=20/s&connections=4")
    options = Options(query, place)
    options.refuse_others(frozenset({"rate", "connections"}))
    per_s, connections = options.rate("rate"), options.count("connections", most=10_000)
    if per_s is None and connections is None:
        raise options.error("rate", "is missing; expected rate=20/s or rate=600/m, connections=4, or both")
    return DomainLimit(tuple(names.split(",")), Rate(per_s) if per_s is not None else None, connections)


def _parse_relay(place: str, url: str, limits: smtp.Limits) -> RelayConfig:
    location, _, query = url.partition("?")
    options = Options(query, place)
    relay = _parse_address(place, f"{location}?{urlencode(options.others(_OPTIONS))}".rstrip("?"))
    rate = options.rate("rate")
    messages = options.count("messages_per_connection")
    return RelayConfig(
        name=f"{relay.host}:{relay.port}",
        relay=relay,
        limits=replace(limits, messages_per_connection=messages) if messages else limits,
        weight=options.count("weight", most=1_000) or 1,
        rate=Rate(rate) if rate else None,
        connections=options.count("connections", most=10_000),
        warm_up=WarmUp.read(options),
    )


def _parse_address(place: str, url: str) -> smtp.Relay:
    try:
        return smtp.Relay.from_url(url)
    except InvalidInput as error:
        faults = [
            Fault(place + fault.field.removeprefix("smtp_url"), _with_our_options(fault.message))
            for fault in error.faults
        ]
        raise InvalidInput(faults) from None


def _with_our_options(message: str) -> str:
    """Return the client's message about an unknown option, with the options that only this module reads."""
    return f"{message}, {', '.join(sorted(_OPTIONS))}" if message.startswith("unknown option") else message


def _with_unique_names(relays: Sequence[RelayConfig]) -> list[RelayConfig]:
    """Number relays of the same server (two accounts at one server are two relays): host:port, host:port#2."""
    counts: Counter[str] = Counter()
    unique = []
    for relay in relays:
        counts[relay.name] += 1
        number = counts[relay.name]
        unique.append(replace(relay, name=f"{relay.name}#{number}") if number > 1 else relay)
    return unique
