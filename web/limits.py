"""How often one may knock: rate limits, in the broker or, while that is away, in this process (rule R36)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app, g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from settings import Settings

_NAME = "cadencia-limits"


@dataclass(frozen=True, slots=True)
class _Counters:
    """Calling one counts once; RateLimitExceeded when it was one too many."""

    login: Callable[[], None]
    track: Callable[[], None]


def install(app: Flask, settings: Settings) -> None:
    """Count where the settings say; a limit that is hit is answered 429 with Retry-After."""
    where = settings.rate_limit_storage_url
    limiter = Limiter(
        get_remote_address,
        app=app,
        strategy="fixed-window",
        storage_uri=where.get_secret_value() if where else "memory://",
        storage_options={"socket_connect_timeout": 1, "socket_timeout": 1} if where else {},
        in_memory_fallback_enabled=True,
    )
    app.extensions[_NAME] = _Counters(
        login=limiter.shared_limit(settings.login_rate, scope="login", key_func=lambda: str(g.login_key))(_login),
        track=limiter.shared_limit(settings.track_rate, scope="track")(_track),
    )


def login(account: str) -> None:
    """Count one attempt to log in as `account` from this address; RateLimitExceeded when it was one too many."""
    g.login_key = hashlib.blake2b(f"{get_remote_address()}\n{account}".encode(), digest_size=16).hexdigest()
    _counters().login()


def track() -> None:
    """Count one event from the caller's address; RateLimitExceeded when it was one too many."""
    _counters().track()


def _counters() -> _Counters:
    found: _Counters = current_app.extensions[_NAME]
    return found


# What the limiter wraps: it counts by name, and only calling them matters.
def _login() -> None: ...


def _track() -> None: ...
