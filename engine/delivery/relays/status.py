"""The board on which every sending process tells how it stands with each relay; people read it."""

import json
import time
from dataclasses import asdict, dataclass

from engine.delivery import replies
from engine.delivery.relays.redis_store import Store

_EVERY_S = 10.0
_KEPT_S = 90
_WRITE = "return redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])"


@dataclass(frozen=True, slots=True)
class Standing:
    """One relay as one process sees it: `closed` works, `open` is left alone, `half-open` is to be tried; and why."""

    name: str
    state: str
    why: str
    rests_for_s: float


class Board:
    """What this process has to tell; written when it changed, and now and then so that it stays."""

    def __init__(self, store: Store, member: str) -> None:
        self._store = store
        self._member = member
        self._told: dict[str, tuple[str, float]] = {}

    def tell(self, standing: Standing) -> bool:
        """Write it down if it is time to; whether the state is another than before."""
        now = time.monotonic()
        before, at = self._told.get(standing.name, ("closed", float("-inf")))
        if before == standing.state and now - at < _EVERY_S:
            return False
        self._told[standing.name] = standing.state, now
        clean = {**asdict(standing), "why": replies.redact(standing.why)}
        self._store.run(_WRITE, [f"board:{standing.name}:{self._member}"], [json.dumps(clean), _KEPT_S])
        return before != standing.state


def read(store: Store) -> dict[str, list[Standing]]:
    """By relay, how each process that sent within the last minute and a half stands with it; raises Unavailable."""
    found: dict[str, list[Standing]] = {}
    for told in store.find("board:*").values():
        standing = Standing(**json.loads(told))
        found.setdefault(standing.name, []).append(standing)
    return found
