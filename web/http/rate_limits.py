"""Rate limits, counted in Redis or, while Redis is unavailable, in this process (rule R36).

Only limited routes call this module: Flask-Limiter's hooks on every request cost a send 150 µs (measured).
"""

import hashlib
import logging
from time import monotonic

import limits
from flask import Flask, current_app, request
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from errors import TooOften
from settings import Settings

log = logging.getLogger(__name__)

AWAY_S = 5.0  # after a failure Redis is not used for this long, so that not every request waits for its time-out
_NAME = "cadencia-limits"
_SHARED = {"socket_connect_timeout": 1, "socket_timeout": 1, "wrap_exceptions": True}


class Counters:
    """Counters by limit and caller; shared by all processes while the storage answers."""

    def __init__(self, settings: Settings) -> None:
        where = settings.rate_limit_storage_url
        self._own = FixedWindowRateLimiter(storage_from_string("memory://"))
        self._shared = None
        if where is not None:
            self._shared = FixedWindowRateLimiter(storage_from_string(where.get_secret_value(), **_SHARED))
        self._away_until = 0.0
        self._rates = {"login": limits.parse(settings.login_rate), "track": limits.parse(settings.track_rate)}

    def count(self, name: str, caller: str, times: int = 1) -> None:
        """Count `times` calls and raise TooOften if they exceed the limit.

        A batch larger than the whole limit counts as the limit less one, so that it passes in a fresh period.
        """
        rate = self._rates[name]
        cost = min(times, max(1, rate.amount - 1))
        if cost and not self._hit(rate, name, caller, cost):
            raise TooOften("rate: too many requests; wait as long as Retry-After says", wait_s=rate.get_expiry())

    def _hit(self, rate: limits.RateLimitItem, name: str, caller: str, cost: int) -> bool:
        if self._shared is None or monotonic() < self._away_until:
            return self._own.hit(rate, name, caller, cost=cost)
        try:
            return self._shared.hit(rate, name, caller, cost=cost)
        except StorageError as error:
            log.warning("rate_limit_storage_unavailable error=%s", type(error.storage_error).__name__)
            self._away_until = monotonic() + AWAY_S
            return self._own.hit(rate, name, caller, cost=cost)


def install(app: Flask, settings: Settings) -> None:
    """Attach counters with the configured storage to `app`; an exceeded limit is answered 429 with Retry-After."""
    app.extensions[_NAME] = Counters(settings)


def login(account: str) -> None:
    """Count one login attempt for `account` from this address. Raise TooOften if over the limit."""
    caller = hashlib.blake2b(f"{_address()}\n{account}".encode(), digest_size=16).hexdigest()
    _counters().count("login", caller)


def track(times: int = 1) -> None:
    """Count `times` events from the caller's address, except for a preflight. Raise TooOften if over the limit."""
    if request.method != "OPTIONS":
        _counters().count("track", _address(), times)


def _counters() -> Counters:
    counters: Counters = current_app.extensions[_NAME]
    return counters


def _address() -> str:
    return request.remote_addr or "127.0.0.1"
