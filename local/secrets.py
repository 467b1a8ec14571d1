"""The secrets of this installation: made at random on first use, read ever after."""

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
    "# Secrets of this installation, made on first use. Keep this file: what is in the database\n"
    "# cannot be read without it. FERNET_KEYS and TRACKING_KEYS may list several keys, comma\n"
    "# separated: the first one makes new values, all of them read old ones.\n"
)


def fresh() -> dict[str, str]:
    """A new value for every secret, by its name."""
    return {name: make() for name, make in _MAKERS.items()}


def load(path: Path) -> dict[str, str]:
    """Every secret by its name, from `path`; what the file lacks is made and added to it first.

    The file is readable by its owner alone. Safe to call from several processes at once on first
    use: all of them get the same values. Keys are 32 bytes in URL-safe base64.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = file.read()
        found = _parse(content)
        missing = {name: make() for name, make in _MAKERS.items() if name not in found}
        lines = "".join(f"{name}={value}\n" for name, value in missing.items())
        file.write(lines if content else _NOTE + lines)
    return found | missing


def _parse(content: str) -> dict[str, str]:
    lines = (line for line in content.splitlines() if line.strip() and not line.startswith("#"))
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
