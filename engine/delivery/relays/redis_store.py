"""Redis as the limits use it: one script a call, short of patience, and silent while it is away."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from errors import Unavailable

log = logging.getLogger("cadencia.pace")

PREFIX = "cadencia:pace:"
_PATIENCE_S = 0.25
_REST_S = 5.0


class Store:
    """A connection of one process, made at first use; after a failure it is left alone for 5 s.

    Mail never waits for Redis: a call that fails gives None, and its caller goes on by what it knows itself.
    """

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            retry=Retry(NoBackoff(), 1),
            decode_responses=True,
        )
        self._rests_until = 0.0
        self._is_away = False

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[object]) -> Any | None:
        """What the Lua script returns; None while Redis is away. It goes as text, so that an emptied Redis has it."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            found = self._redis.eval(script, len(keys), *(PREFIX + key for key in keys), *map(str, arguments))
        except (RedisError, OSError) as error:
            self._lost(error)
            return None
        self._is_back()
        return found

    def find(self, pattern: str) -> dict[str, str]:
        """The texts kept under names that match, by name; raises Unavailable. For people's eyes, not for sending."""
        try:
            keys = sorted(self._redis.scan_iter(PREFIX + pattern, count=1_000))
            values: Any = self._redis.mget(keys) if keys else []
        except (RedisError, OSError) as error:
            raise Unavailable(f"redis: does not answer ({type(error).__name__})") from None
        found = dict(zip(keys, values, strict=True))
        return {key.removeprefix(PREFIX): value for key, value in found.items() if value is not None}

    def _lost(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + _REST_S
        if not self._is_away:
            self._is_away = True
            log.warning("limits_local error=%s", type(error).__name__)

    def _is_back(self) -> None:
        if self._is_away:
            self._is_away = False
            log.info("limits_shared")
