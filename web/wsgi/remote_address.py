"""The caller's address: the one place that reads what proxies write into X-Forwarded-For.

Proxies may add a port or brackets (`203.0.113.6:40000`, `[2001:db8::6]:40000`). Rate limits and networks need the bare
address: with the port in it each connection would count as another caller.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

_ADDRESSES_CACHED = 8_192
_CHARS_MAX = 128  # of an address with its zone and port; what a header may hold besides is not cached
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")
_PROXY = "werkzeug.proxy_fix.orig"


class RemoteAddress:
    """A WSGI middleware behind ProxyFix: REMOTE_ADDR becomes a bare IP address, or that of the proxy."""

    def __init__(self, behind: Callable[..., Iterable[bytes]]) -> None:
        self._behind = behind

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Normalise the address and pass the request on."""
        proxy = environ.get(_PROXY, {}).get("REMOTE_ADDR")
        environ["REMOTE_ADDR"] = bare(environ.get("REMOTE_ADDR") or "") or bare(proxy or "") or "127.0.0.1"
        return self._behind(environ, start)


def bare(text: str) -> str:
    """Return the IP address without port, brackets, zone and IPv4 mapping; empty if there is none."""
    return _parsed(text) if len(text) <= _CHARS_MAX else ""


@lru_cache(maxsize=_ADDRESSES_CACHED)
def _parsed(text: str) -> str:
    with_port = _WITH_PORT.fullmatch(text.strip())
    address = (with_port[1] or with_port[2]) if with_port else text.strip()
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
