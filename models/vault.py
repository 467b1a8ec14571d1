"""Encryption of personal data, and the blind index to look it up."""

import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import InvalidToken as InvalidToken  # for callers, who know the vault only

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

    def seal(self, content: bytes) -> str:
        """Return the Fernet token of bytes, such as a part of a file."""
        return self._ring.encrypt(content).decode()

    def unseal(self, token: str) -> bytes:
        """Return the bytes of such a token; raises `cryptography.fernet.InvalidToken` if no key fits."""
        return self._ring.decrypt(token)

    def decrypt_all(self, tokens: Sequence[str]) -> list[str | None]:
        """Return the plain texts in order, faster than `decrypt` for many; None where no key fits."""
        return [None if plain is None else plain.decode() for plain in self._ring.decrypt_all(tokens)]

    def blind_index(self, address: str) -> bytes:
        """Return 32 bytes that are equal for equal addresses, and reveal nothing without the key.

        Addresses are equal if they differ only in the case of A to Z, after NFC: `straße@` and `strasse@` are
        two people.
        """
        return self._digest(folded(address).encode())

    def former_index(self, address: str) -> bytes | None:
        """Return the index that version 0.1.0 gave the address, by its case folding; None if it is the same."""
        if address.isascii():
            return None
        former = self._digest(address.casefold().encode())
        return None if former == self.blind_index(address) else former

    def _digest(self, normal_form: bytes) -> bytes:
        digest = self._index.copy()
        digest.update(normal_form)
        return digest.digest()


def folded(address: str) -> str:
    """Return the form of an address that all equal ones have: NFC, with A to Z in lower case."""
    if not address.isascii():
        address = unicodedata.normalize("NFC", address)
    return address.encode().lower().decode()  # bytes have the case of ASCII only


@lru_cache(maxsize=1)
def current() -> Vault:
    """Return the vault of this process, with the keys of its settings."""
    configured = settings.current()
    keys = [key.get_secret_value() for key in configured.fernet_keys]
    return Vault(keys, configured.index_key.get_secret_value())
