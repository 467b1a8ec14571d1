"""The environment of the tests, and what this process has made from it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TEST_ENVIRONMENT = {
    "JWT_SECRET_KEY": "a secret of the tests, at least 32 bytes long",
    "FERNET_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "INDEX_KEY": "an index key of the tests, 32 bytes or more",
    "TRACKING_KEYS": "dHJhY2tpbmcta2V5LW9mLXRlc3RzLTMyLWJ5dGVzLiE=",
    "MAIL_FROM": "Cadencia <hola@cadencia.example>",
    "SMTP_URL": "smtp://127.0.0.1:9",
    "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "BELL_ENABLED": "false",
    "ENVIRONMENT": "test",
    "PASSWORD_MIB": "1",  # a hash takes 2 ms instead of 100
}

# Functions whose cached result depends on the environment, by the module that defines them.
_CACHED = {"models.session": "engine", "settings": "current", "models.vault": "current"}


def forget_settings() -> None:
    """Drop what this process made from its environment, so that the next use reads it again."""
    for module, name in _CACHED.items():
        if module not in sys.modules:  # never imported for this: SQLAlchemy alone takes a second
            continue
        cached = getattr(sys.modules[module], name)
        if name == "engine" and cached.cache_info().currsize:
            cached().dispose()
        cached.cache_clear()


def _forget_broker() -> None:
    """Let the next bell make a new publisher: the thread that rings them keeps the broker of its first bell."""
    sys.modules.pop("celery_config", None)  # Celery imports it to read the URL of the broker
    if "engine.bell" in sys.modules:
        sys.modules["engine.bell"]._ringer.cache_clear()


def settled() -> None:
    """Wait until the hits that this process answered are in the database."""
    for thread in threading.enumerate():
        if thread.name == "spool-drain":
            thread.join(10)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set these environment variables for the block; what was made from the others is made again."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    has_other_broker = before.get("CELERY_BROKER_URL") != values.get("CELERY_BROKER_URL")
    forget_settings()
    if has_other_broker:
        _forget_broker()
    try:
        yield
    finally:
        forget_settings()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if has_other_broker:
            _forget_broker()
