"""How often one may knock: rate limits, in the broker or, while that is away, in this process (rule R36)."""

import hashlib

from flask import Flask, g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from settings import Settings
from web import process

_limiter = Limiter(get_remote_address, strategy="fixed-window", in_memory_fallback_enabled=True)


def install(app: Flask, settings: Settings) -> None:
    """Count where the settings say; a limit that is hit is answered 429 with Retry-After."""
    where = settings.rate_limit_storage_url
    app.config["RATELIMIT_STORAGE_URI"] = where.get_secret_value() if where else "memory://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 1, "socket_timeout": 1} if where else {}
    _limiter.init_app(app)


def login(account: str) -> None:
    """Count one attempt to log in as `account` from this address; RateLimitExceeded when it was one too many."""
    g.login_key = hashlib.blake2b(f"{get_remote_address()}\n{account}".encode(), digest_size=16).hexdigest()
    _login()


def _rate(setting: str) -> str:
    rate: str = getattr(process.current().settings, setting)
    return rate


@_limiter.shared_limit(lambda: _rate("login_rate"), scope="login", key_func=lambda: str(g.login_key))
def _login() -> None:
    """Nothing: calling it is what counts."""


@_limiter.shared_limit(lambda: _rate("track_rate"), scope="track")
def track() -> None:
    """Count one event from the caller's address; RateLimitExceeded when it was one too many."""
