"""Signed tags in the local part of an address, which name the e-mail that a reply or a bounce concerns.

An address `bounces@cadencia.example` with a tag is `bounces+<id><proof>@cadencia.example`: 32 hex digits of the
e-mail's id and 12 of a keyed hash. Hex digits survive servers that change the case of a local part.
"""

import hmac
import re
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from uuid import UUID

_PROOF_BYTES = 6
_TAGGED = re.compile(r"\+([0-9a-f]{32})([0-9a-f]{12})@", re.IGNORECASE)


def is_among(recipient: str, addresses: Collection[str]) -> bool:
    """Return True if the recipient is one of these case-folded addresses, with or without a tag after `+`."""
    folded = recipient.casefold()
    local, _, domain = folded.rpartition("@")
    return folded in addresses or f"{local.partition('+')[0]}@{domain}" in addresses


class AddressTags:
    """Signs tags with the first of the tracking keys, and verifies them with all."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        derived = (blake2b(key, digest_size=32, person=b"cadencia tag key").digest() for key in keys)
        self._keys = [blake2b(key=key, digest_size=_PROOF_BYTES, person=b"cadencia address") for key in derived]

    def tag(self, email_id: UUID) -> str:
        """Return the tag of an e-mail."""
        return email_id.hex + _proof(self._keys[0], email_id)

    def read(self, text: str) -> Iterator[UUID]:
        """Yield the e-mail of each valid tag in the addresses of `text`."""
        for digits, proof in _TAGGED.findall(text):
            email_id = UUID(hex=digits)
            if any(hmac.compare_digest(_proof(key, email_id), proof.lower()) for key in self._keys):
                yield email_id


def _proof(key: blake2b, email_id: UUID) -> str:
    keyed = key.copy()
    keyed.update(email_id.bytes)
    return keyed.hexdigest()
