"""What of a request is kept: enough to judge it, and to judge it again, and never the address itself."""

from functools import lru_cache
from hashlib import blake2b
from typing import Literal, get_args

from engine.tracking.bots import networks

AGENT_CHARS_MAX = 300
PURPOSE_CHARS_MAX = 40
METHOD_CHARS_MAX = 10
_PREFIX_BYTES = 8
_ADDRESSES_KEPT = 8_192

Keep = Literal["hashed", "truncated", "none"]
KEEPS: tuple[Keep, ...] = get_args(Keep)


class Observer:
    """Made once per process with a secret and what may be kept of addresses; safe to share between threads.

    `hashed`: the class of the network, and a keyed hash of the /24 or /48. `truncated`: that prefix in clear.
    `none`: the class alone; rules that look for one network at many mails are blind then.
    """

    def __init__(self, secret: bytes, keep: Keep) -> None:
        self._keyed = blake2b(
            key=blake2b(secret, digest_size=32, person=b"cadencia network").digest(),
            digest_size=_PREFIX_BYTES,
            person=b"cadencia prefix",
        )
        self._keep = keep
        self._place = lru_cache(maxsize=_ADDRESSES_KEPT)(self._placed)

    def observe(self, *, method: str, address: str | None, agent: str | None, purpose: str | None) -> dict[str, str]:
        """What goes into `event_data` of a hit; a click's `link` comes on top of it."""
        kept = {"method": method[:METHOD_CHARS_MAX], "agent": _plain(agent, AGENT_CHARS_MAX)}
        kept["network"], prefix = self._place(address or "")
        if prefix:
            kept["prefix"] = prefix
        if purpose:
            kept["purpose"] = _plain(purpose, PURPOSE_CHARS_MAX)
        return kept

    def _placed(self, written: str) -> tuple[str, str]:
        """The class of the network and what may be kept of the prefix."""
        address = networks.parsed(written)
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


def _plain(written: str | None, chars: int) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogate, no more than so many characters."""
    if not written:
        return ""
    return written[:chars].replace("\0", "").encode("utf-8", "replace").decode()
