"""Password hashes: Argon2id, few at once."""

import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

import settings
from errors import Unavailable

# Each check takes 64 MB and some 50 ms of all cores. More at once would starve the other threads of the process.
CHECKS_AT_ONCE = 2

_checks = threading.BoundedSemaphore(CHECKS_AT_ONCE)


def hashed(password: str) -> str:
    """Return the hash of a new password."""
    return _hasher().hash(password)


def check(password_hash: str, password: str) -> tuple[bool, str | None]:
    """Return True if the password is right, and then a hash to store instead of one with outdated parameters.

    Raises Unavailable while `CHECKS_AT_ONCE` others run in this process.
    """
    hasher = _hasher()
    with slot():
        try:
            hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False, None
        return True, hasher.hash(password) if hasher.check_needs_rehash(password_hash) else None


def decoy() -> str:
    """Return a hash that no password matches, whose check takes as long as that of a real one."""
    hasher = _hasher()
    salt, digest = (_unpadded(secrets.token_bytes(size)) for size in (hasher.salt_len, hasher.hash_len))
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def _hasher() -> PasswordHasher:
    return _hasher_of(settings.current().password_mib)


@lru_cache(maxsize=2)
def _hasher_of(mib: int) -> PasswordHasher:
    """Return Argon2id with the parameters of RFC 9106, section 4, and this much memory."""
    return PasswordHasher(memory_cost=mib * 1_024)


def _unpadded(raw: bytes) -> str:
    return base64.b64encode(raw).rstrip(b"=").decode()


@contextmanager
def slot() -> Iterator[None]:
    """Hold one of the `CHECKS_AT_ONCE` slots for the block; raises Unavailable if none is free."""
    if not _checks.acquire(blocking=False):
        raise Unavailable("passwords: too many are being checked at this moment")
    try:
        yield
    finally:
        _checks.release()
