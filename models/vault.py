"""Encryption of what identifies a person, and the blind index that finds it again."""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache

import settings
from models.fernet import Ring


class Vault:
    """Fernet under a ring of keys (the first encrypts, all decrypt) and an HMAC under a key of its own."""

    def __init__(self, fernet_keys: Sequence[str], index_key: str) -> None:
        self._ring = Ring(fernet_keys)
        self._index = hmac.new(index_key.encode(), digestmod=hashlib.sha256)

    def encrypt(self, plain: str) -> str:
        """A Fernet token: 3 µs and 120 characters for an address; different at every call."""
        return self._ring.encrypt(plain.encode()).decode()

    def decrypt(self, token: str) -> str:
        """What was encrypted; raises `cryptography.fernet.InvalidToken` when no key fits."""
        return self._ring.decrypt(token).decode()

    def decrypt_all(self, tokens: Sequence[str]) -> list[str]:
        """What `decrypt` gives for each, in order, quicker for many; raises what it raises."""
        return [plain.decode() for plain in self._ring.decrypt_all(tokens)]

    def blind_index(self, address: str) -> bytes:
        """32 bytes that are equal for equal addresses, whatever their case, and tell nothing without the key."""
        digest = self._index.copy()
        digest.update(address.casefold().encode())
        return digest.digest()


@lru_cache(maxsize=1)
def current() -> Vault:
    """The vault of this process, under the keys of its settings."""
    configured = settings.current()
    keys = [key.get_secret_value() for key in configured.fernet_keys]
    return Vault(keys, configured.index_key.get_secret_value())
