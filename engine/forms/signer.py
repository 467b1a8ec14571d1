"""Signed values of forms: the moment at which a form was shown, and the link that confirms a submission."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from errors import NotFound
from models import ids

TOO_QUICK = timedelta(seconds=2)
TOO_OLD = timedelta(hours=24)
_TAG = 16
_STAMP, _CONFIRM = b"cadencia stamp", b"cadencia confirm"


class Signer:
    """Signs and verifies with the tracking keys: the first signs, all verify. Each use has tags of its own."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [blake2b(key, digest_size=32, person=b"cadencia forms").digest() for key in keys]

    def stamp(self, form_id: UUID, at: datetime) -> str:
        """Return the stamp of a form that is shown at this moment; it holds for this form only."""
        moment = ((at - ids.EPOCH) // timedelta(milliseconds=1)).to_bytes(8, "big")
        return _encoded(moment + self._tag(0, _STAMP, form_id.bytes + moment))

    def stamped_at(self, form_id: UUID, stamp: str) -> datetime | None:
        """Return the moment of a stamp; None if it is not one of ours for this form."""
        raw = _decoded(stamp, 8)
        if raw is None or not self._is_ours(_STAMP, form_id.bytes + raw[:8], raw[8:]):
            return None
        return ids.EPOCH + timedelta(milliseconds=int.from_bytes(raw[:8], "big"))

    def confirmation(self, submission_id: UUID) -> str:
        """Return the token of the link that confirms a submission."""
        return _encoded(submission_id.bytes + self._tag(0, _CONFIRM, submission_id.bytes))

    def read_confirmation(self, token: str) -> UUID:
        """Return the submission of a token; raise NotFound if it is not one of ours."""
        raw = _decoded(token, 16)
        if raw is None or not self._is_ours(_CONFIRM, raw[:16], raw[16:]):
            raise NotFound("token: not one of ours")
        return UUID(bytes=raw[:16])

    def _is_ours(self, use: bytes, body: bytes, tag: bytes) -> bool:
        return any(hmac.compare_digest(tag, self._tag(number, use, body)) for number in range(len(self._keys)))

    def _tag(self, number: int, use: bytes, body: bytes) -> bytes:
        return blake2b(body, key=self._keys[number], digest_size=_TAG, person=use).digest()


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str, size: int) -> bytes | None:
    """Return the bytes of a canonical token with a body of this size; None for any other text."""
    if not text.isascii() or len(text) > 64:
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        return None
    return raw if len(raw) == size + _TAG and _encoded(raw) == text else None
