"""Extract the facts of a request by which it is classified, now and later; never the address itself."""

from functools import lru_cache
from hashlib import blake2b
from typing import Literal, get_args

from engine.tracking.bots import networks

AGENT_CHARS_MAX = 300
PURPOSE_CHARS_MAX = 40
METHOD_CHARS_MAX = 10
_PREFIX_BYTES = 8
_ADDRESSES_CACHED = 8_192

Keep = Literal["hashed", "truncated", "none"]
KEEPS: tuple[Keep, ...] = get_args(Keep)


class Observer:
    """Describes requests; made once per process, safe to share between threads.

    `keep` selects what is stored of an address. `hashed`: the class of the network and a keyed hash of the /24 or /48;
    `truncated`: the class and that prefix in clear; `none`: only the class, so that bursts cannot be detected.
    """

    def __init__(self, secret: bytes, keep: Keep) -> None:
        self._keyed = blake2b(
            key=blake2b(secret, digest_size=32, person=b"cadencia network").digest(),
            digest_size=_PREFIX_BYTES,
            person=b"cadencia prefix",
        )
        self._keep = keep
        self._place = lru_cache(maxsize=_ADDRESSES_CACHED)(self._placed)

    def observe(self, *, method: str, address: str | None, agent: str | None, purpose: str | None) -> dict[str, str]:
        """Return `event_data` of a hit; for a click the caller adds `link`."""
        data = {"method": method[:METHOD_CHARS_MAX], "agent": _plain(agent, AGENT_CHARS_MAX)}
        data["network"], prefix = self._place(address or "")
        if prefix:
            data["prefix"] = prefix
        if purpose:
            data["purpose"] = _plain(purpose, PURPOSE_CHARS_MAX)
        return data

    def _placed(self, text: str) -> tuple[str, str]:
        """Return the class of the network and the prefix as it may be stored."""
        address = networks.parsed(text)
        if address is None:
            return networks.OTHER, ""
        name = networks.classify(address)
        if self._keep == "none":
            return name, ""
        prefix = networks.prefix(address)
        return name, str(prefix) if self._keep == "truncated" else self._hashed(prefix)

    def _hashed(self, prefix: networks.Network) -> str:
        hashed = self._keyed.copy()
        hashed.update(bytes([prefix.version]) + prefix.network_address.packed)
        return hashed.hexdigest()


def _plain(text: str | None, chars: int) -> str:
    """Return text that PostgreSQL can store: without NUL and lone surrogates, truncated to `chars`."""
    if not text:
        return ""
    return text[:chars].replace("\0", "").encode("utf-8", "replace").decode()
