"""Which class of networks an address belongs to, and the prefix that stands for its neighbourhood."""

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
    """The class of networks that an address belongs to, by `known.toml`; "other" when it is in none."""
    ranges = _ranges(address.version)
    number = int(address)
    place = bisect_right(ranges.firsts, number) - 1
    return ranges.names[place] if place >= 0 and number <= ranges.lasts[place] else OTHER


def kind(name: str) -> str:
    """What a class of networks is (a key of `known.KINDS`); empty for one that is not known, or not any more."""
    entry = _entries().get(name)
    return entry.kind if entry else ""


def was_looked_up(name: str) -> bool:
    """Whether what is said of this class of networks was looked up."""
    entry = _entries().get(name)
    return entry is not None and entry.seen is not None


def parsed(address: str) -> Address | None:
    """The address a request came from, or None if it is none; IPv4 inside of IPv6 is IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def prefix(address: Address) -> Network:
    """The neighbourhood of an address: its /24 or its /48."""
    if isinstance(address, IPv4Address):
        return IPv4Network((int(address), 24), strict=False)
    return IPv6Network((int(address), 48), strict=False)


@lru_cache(maxsize=1)
def _entries() -> dict[str, known.Entry]:
    return {entry.name: entry for entry in known.networks()}


@lru_cache(maxsize=2)
def _ranges(version: int) -> _Ranges:
    found = sorted(
        (int(network[0]), int(network[-1]), entry.name)
        for entry in known.networks()
        for network in map(ip_network, entry.matches)
        if network.version == version
    )
    return _Ranges([one[0] for one in found], [one[1] for one in found], [one[2] for one in found])
