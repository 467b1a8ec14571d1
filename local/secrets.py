"""The secrets of this installation: created at random on first use, and kept."""

import base64
import fcntl
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _password() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return Fernet.generate_key().decode()


_MAKERS: Mapping[str, Callable[[], str]] = {
    "JWT_SECRET_KEY": _key,
    "FERNET_KEYS": _fernet_key,
    "INDEX_KEY": _key,
    "TRACKING_KEYS": _key,
    "POSTGRES_PASSWORD": _password,
    "VALKEY_PASSWORD": _password,
    "FLOWER_PASSWORD": _password,
    "LOCAL_PASSWORD": _password,
}

_NOTE = (
    "# Secrets of this installation, created on first use. Keep this file: without it the content\n"
    "# of the database cannot be read. FERNET_KEYS and TRACKING_KEYS may list several keys, separated\n"
    "# by commas: the first creates new values, all of them read existing ones.\n"
)


def fresh() -> dict[str, str]:
    """Return a new value for every secret, by name."""
    return {name: make() for name, make in _MAKERS.items()}


def load(path: Path) -> dict[str, str]:
    """Return every secret by name, from `path`; add those that the file lacks.

    Only the owner may read the file. On first use several processes may call this at once: all get the same values.
    Keys are 32 bytes in URL-safe base64.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = file.read()
        existing = _parse(content)
        missing = {name: make() for name, make in _MAKERS.items() if name not in existing}
        lines = "".join(f"{name}={value}\n" for name, value in missing.items())
        file.write(lines if content else _NOTE + lines)
    return existing | missing


def _parse(content: str) -> dict[str, str]:
    lines = (line for line in content.splitlines() if line.strip() and not line.startswith("#"))
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
