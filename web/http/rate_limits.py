"""How often one may knock: rate limits, in the broker or, while that is away, in this process (rule R36).

Only the routes that are limited pay for it: as hooks on every request, Flask-Limiter's cost a send 150 µs.
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

AWAY_S = 5.0  # after a failure the broker is left alone for so long: a call must not wait for it each time
_NAME = "cadencia-limits"
_SHARED = {"socket_connect_timeout": 1, "socket_timeout": 1, "wrap_exceptions": True}


class Counters:
    """Counts by name and caller; shared by all processes as long as the storage answers."""

    def __init__(self, settings: Settings) -> None:
        where = settings.rate_limit_storage_url
        self._own = FixedWindowRateLimiter(storage_from_string("memory://"))
        self._shared = None
        if where is not None:
            self._shared = FixedWindowRateLimiter(storage_from_string(where.get_secret_value(), **_SHARED))
        self._away_until = 0.0
        self._rates = {"login": limits.parse(settings.login_rate), "track": limits.parse(settings.track_rate)}

    def count(self, name: str, who: str, times: int = 1) -> None:
        """Count so many calls; TooOften when it was one too many. More than the rate allows count as all but one of
        it, so that they pass once the time is over."""
        rate = self._rates[name]
        cost = min(times, max(1, rate.amount - 1))
        if cost and not self._hit(rate, name, who, cost):
            raise TooOften("rate: too many requests; wait as long as Retry-After says", wait_s=rate.get_expiry())

    def _hit(self, rate: limits.RateLimitItem, name: str, who: str, cost: int) -> bool:
        if self._shared is None or monotonic() < self._away_until:
            return self._own.hit(rate, name, who, cost=cost)
        try:
            return self._shared.hit(rate, name, who, cost=cost)
        except StorageError as error:
            log.warning("rate_storage_away error=%s", type(error.storage_error).__name__)
            self._away_until = monotonic() + AWAY_S
            return self._own.hit(rate, name, who, cost=cost)


def install(app: Flask, settings: Settings) -> None:
    """Count where the settings say; a limit that is hit is answered 429 with Retry-After."""
    app.extensions[_NAME] = Counters(settings)


def login(account: str) -> None:
    """Count one attempt to log in as `account` from this address; TooOften when it was one too many."""
    who = hashlib.blake2b(f"{_address()}\n{account}".encode(), digest_size=16).hexdigest()
    _counters().count("login", who)


def track(times: int = 1) -> None:
    """Count so many events from the caller's address; TooOften when it was one too many. A preflight is none."""
    if request.method != "OPTIONS":
        _counters().count("track", _address(), times)


def _counters() -> Counters:
    found: Counters = current_app.extensions[_NAME]
    return found


def _address() -> str:
    return request.remote_addr or "127.0.0.1"
