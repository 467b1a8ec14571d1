"""Access to Redis for limits that all senders share: short timeouts, and local limits while it is unavailable."""

import logging
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

import settings
from errors import Unavailable

log = logging.getLogger("cadencia.pace")

PREFIX = "cadencia:pace:"
_TIMEOUT_S = 0.25
_RETRY_AFTER_S = 5.0


class Store:
    """One process's connection to Redis, opened on first use. After a failure it is not tried again for 5 s.

    Sending never waits for Redis: a failed call returns None, and the caller applies its local limit.
    """

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
            decode_responses=True,
        )
        self._retry_at = 0.0
        self._is_unavailable = False

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[object]) -> Any | None:
        """Run a Lua script and return its result, or None while Redis is unavailable.

        The script is sent as text each time, so that it also works on a Redis that lost its script cache.
        """
        if time.monotonic() < self._retry_at:
            return None
        try:
            result = self._redis.eval(script, len(keys), *(PREFIX + key for key in keys), *map(str, arguments))
        except (RedisError, OSError) as error:
            self._note_failure(error)
            return None
        self._note_success()
        return result

    def reported(self, key: str, queues: Sequence[str] = ()) -> tuple[list[str], dict[str, int]]:
        """Return the values of the keys in the sorted set `key`, and the messages in each of the broker's queues.

        A queue is a list of its name. Keys that expired have no value. Raises Unavailable.
        """
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.zrange(PREFIX + key, 0, -1)
                for name in queues:
                    pipeline.llen(name)
                keys, *lengths = pipeline.execute()
            values: Any = self._redis.mget(keys) if keys else []
        except (RedisError, OSError) as error:
            raise Unavailable(f"redis: does not answer ({type(error).__name__})") from None
        return [value for value in values if value is not None], dict(zip(queues, lengths, strict=True))

    def _note_failure(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + _RETRY_AFTER_S
        if not self._is_unavailable:
            self._is_unavailable = True
            log.warning("limits_local error=%s", type(error).__name__)

    def _note_success(self) -> None:
        if self._is_unavailable:
            self._is_unavailable = False
            log.info("limits_shared")


def configured() -> Store:
    """Return a store on the Redis of the settings, which is the broker's."""
    return Store(settings.current().celery_broker_url.get_secret_value())


@lru_cache(maxsize=1)
def _of(url: str) -> Store:
    return Store(url)


def for_reports() -> Store:
    """Return the store that this process keeps for reports: opening a connection takes longer than reading."""
    return _of(settings.current().celery_broker_url.get_secret_value())
