"""Classes of networks by address, and the network prefix of an address."""

from bisect import bisect_right
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from engine.tracking.bots import known

OTHER = "other"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class _Ranges(NamedTuple):
    """Ranges that do not overlap, sorted by their first address."""

    firsts: list[int]
    lasts: list[int]
    names: list[str]


def classify(address: Address) -> str:
    """Return the class of networks that contains the address, by `known.toml`, else "other"."""
    ranges = _ranges(address.version)
    number = int(address)
    place = bisect_right(ranges.firsts, number) - 1
    return ranges.names[place] if place >= 0 and number <= ranges.lasts[place] else OTHER


def kind(name: str) -> str:
    """Return the kind of a class of networks (a key of `known.KINDS`); empty for a class that is not listed."""
    entry = _entries().get(name)
    return entry.kind if entry else ""


def was_looked_up(name: str) -> bool:
    """Return True if the entry of this class of networks was looked up."""
    entry = _entries().get(name)
    return entry is not None and entry.seen is not None


def parsed(address: str) -> Address | None:
    """Return the parsed address, or None if it is invalid; an IPv4-mapped IPv6 address becomes IPv4."""
    try:
        value = ip_address(address)
    except ValueError:
        return None
    return value.ipv4_mapped or value if isinstance(value, IPv6Address) else value


def prefix(address: Address) -> Network:
    """Return the /24 (IPv4) or /48 (IPv6) network of an address."""
    if isinstance(address, IPv4Address):
        return IPv4Network((int(address), 24), strict=False)
    return IPv6Network((int(address), 48), strict=False)


@lru_cache(maxsize=1)
def _entries() -> dict[str, known.Entry]:
    return {entry.name: entry for entry in known.networks()}


@lru_cache(maxsize=2)
def _ranges(version: int) -> _Ranges:
    ranges = sorted(
        (int(network[0]), int(network[-1]), entry.name)
        for entry in known.networks()
        for network in map(ip_network, entry.matches)
        if network.version == version
    )
    return _Ranges([each[0] for each in ranges], [each[1] for each in ranges], [each[2] for each in ranges])
