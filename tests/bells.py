"""Read the bells that were rung from the queues of a broker."""

from collections.abc import Callable

import redis

from engine import bell
from tests import processes

# Bells rung together are published in the order of their names, and this one is the last.
_LAST = max(bell.BELLS)


def listen(broker_url: str) -> Callable[[], list[str]]:
    """Empty the queues and return a function that removes and returns the bells rung since, except the last one."""
    client = redis.Redis.from_url(broker_url)

    def rung() -> list[str]:
        bell.ring(_LAST)
        processes.until(lambda: client.llen(_LAST), "the last bell was published")
        names = [name for name in sorted(bell.BELLS) for _ in range(int(str(client.llen(name))))]
        client.delete(*bell.BELLS)
        return [name for name in names if name != _LAST]

    client.delete(*bell.BELLS)
    return rung
