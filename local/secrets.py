"""The secrets of this installation: made at random on first use, read ever after."""

import base64
import os
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
}

_NOTE = (
    "# Secrets of this installation, made on first use. Keep this file: what is in the database\n"
    "# cannot be read without it. FERNET_KEYS and TRACKING_KEYS may list several keys, comma\n"
    "# separated: the first one makes new values, all of them read old ones.\n"
)


def load(path: Path) -> dict[str, str]:
    """Every secret by its name, from `path`; what the file lacks is made and added to it first.

    The file is readable by its owner alone. Safe to call from several processes at once on first
    use: all of them get the same values. Keys are 32 bytes in URL-safe base64.
    """
    found = _read(path)
    missing = {name: make() for name, make in _MAKERS.items() if name not in found}
    if missing:
        _write(path, found | missing, replace=bool(found))
        found = _read(path)
    path.chmod(0o600)
    return found


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _write(path: Path, values: Mapping[str, str], *, replace: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(_NOTE + "".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    if replace:
        draft.replace(path)
        return
    try:
        path.hardlink_to(draft)  # unlike a rename, fails when another process was first
    except FileExistsError:
        pass
    finally:
        draft.unlink()
