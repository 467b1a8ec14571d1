"""Fernet (github.com/fernet/spec, version 0x80), compatible with `cryptography` in a third of its time.

The library creates a cipher for each token, which costs more than its use. Here one cipher in CBC mode is used for all.
Decryption passes the token's initialisation vector as the first block and discards its result; the blocks after it
decrypt as with a new cipher. Encryption passes 16 random bytes as the first block; its result is as random and
unpredictable, and is the initialisation vector of the blocks after it.
"""

import hashlib
import threading
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from hmac import compare_digest
from time import time

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from models import random_blocks

_VERSION = b"\x80"
_HEAD = 9  # version and seconds
_BLOCK = 16
_TAG = 32
_LEAST = _HEAD + 2 * _BLOCK + _TAG
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_PADDING = [bytes([size]) * size for size in range(_BLOCK + 1)]  # PKCS #7, RFC 5652 section 6.3


class Ring:
    """A list of keys: the first encrypts, all decrypt, as in MultiFernet. Safe to share between threads."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raise ValueError unless there is at least one key and each is a Fernet key."""
        self._library = MultiFernet([Fernet(key) for key in keys])
        self._keys = [_Key(urlsafe_b64decode(key)) for key in keys]

    def encrypt(self, plain: bytes) -> bytes:
        """Return a token that any Fernet implementation with the first key can read; it differs at every call."""
        return self._keys[0].seal(plain)

    def decrypt(self, token: str) -> bytes:
        """Return the plain text; raises `cryptography.fernet.InvalidToken` if no key fits."""
        try:
            data = a2b_base64(token.encode("ascii").translate(_FROM_URL))
        except (UnicodeEncodeError, Base64Error):
            data = b""
        if len(data) >= _LEAST and (len(data) - _HEAD - _TAG) % _BLOCK == 0 and data[:1] == _VERSION:
            for key in self._keys:
                if compare_digest(key.tag(data[:-_TAG]), data[-_TAG:]):
                    padded = key.decipher(data[_HEAD:-_TAG])
                    size = padded[-1]
                    if 0 < size <= _BLOCK and padded.endswith(_PADDING[size]):
                        return padded[:-size]
        return self._library.decrypt(token)  # raises the library's error

    def decrypt_all(self, tokens: Sequence[str]) -> Sequence[bytes | None]:
        """Return the plain texts in order, in two thirds of the time of `decrypt`; None where no key fits."""
        plain = self._keys[0].open_all(tokens)
        return plain if plain is not None else [self._decrypted(token) for token in tokens]

    def _decrypted(self, token: str) -> bytes | None:
        try:
            return self.decrypt(token)
        except (InvalidToken, ValueError):  # the library raises the latter for text outside ASCII
            return None


def sealed_at(token: str) -> int | None:
    """Return the unix time at which a token was made, as it states itself; None if it lacks the form of a token."""
    try:
        data = a2b_base64(token.encode("ascii").translate(_FROM_URL))
    except (UnicodeEncodeError, Base64Error):
        return None
    has_form = len(data) >= _LEAST and (len(data) - _HEAD - _TAG) % _BLOCK == 0 and data[:1] == _VERSION
    return int.from_bytes(data[1:_HEAD], "big") if has_form else None


class _Key(threading.local):
    """One key, with its own ciphers for each thread, because a cipher keeps its last block."""

    def __init__(self, key: bytes) -> None:
        cipher = Cipher(algorithms.AES(key[16:]), modes.CBC(random_blocks.block()))
        encryptor: CipherContext = cipher.encryptor()
        decryptor: CipherContext = cipher.decryptor()
        self._encipher, self._decipher = encryptor.update, decryptor.update
        # HMAC, RFC 2104 section 4: both hashes of the padded key, computed once.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key[:16].ljust(64, b"\0")))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key[:16].ljust(64, b"\0")))

    def seal(self, plain: bytes) -> bytes:
        """Return a token of `plain` with the present time."""
        blocks = b"".join((random_blocks.block(), plain, _PADDING[_BLOCK - len(plain) % _BLOCK]))
        body = b"".join((_VERSION, int(time()).to_bytes(8, "big"), self._encipher(blocks)))
        return b2a_base64(body + self.tag(body), newline=False).translate(_TO_URL)

    def decipher(self, blocks: bytes) -> bytes:
        """Return the padded plain text of `blocks`, the first of which is the initialisation vector."""
        return self._decipher(blocks)[_BLOCK:]

    def open_all(self, tokens: Sequence[str]) -> list[bytes] | None:
        """Return the plain texts of these tokens, or None if one of them is invalid for this key."""
        try:
            encoded = "\n".join(tokens).encode("ascii").translate(_FROM_URL).split(b"\n")
            whole = [a2b_base64(token) for token in encoded]
        except (UnicodeEncodeError, Base64Error):
            return None
        if len(whole) != len(tokens):
            return None
        tag, sealed = self.tag, []
        for data in whole:
            body = data[:-_TAG]
            is_whole = len(data) >= _LEAST and (len(body) - _HEAD) % _BLOCK == 0 and data[:1] == _VERSION
            if not (is_whole and compare_digest(tag(body), data[-_TAG:])):
                return None
            sealed.append(body[_HEAD:])
        blocks, end, plain = self._decipher(b"".join(sealed)), 0, []
        for each in sealed:
            begin, end = end + _BLOCK, end + len(each)
            size = blocks[end - 1]
            if not (0 < size <= _BLOCK and blocks.endswith(_PADDING[size], begin, end)):
                return None
            plain.append(blocks[begin : end - size])
        return plain

    def tag(self, body: bytes) -> bytes:
        """Return the HMAC-SHA256 of `body`."""
        inner = self._inner.copy()
        inner.update(body)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()
