"""Idempotency keys: store the response of a request, and replay it when the request is repeated.

After draft-ietf-httpapi-idempotency-key-header-07; rule R26. Ages are by the database's clock.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

import settings
from errors import InProgress, InvalidInput
from models import IdempotencyKey

KEY_CHARS_MAX = 255


@dataclass(frozen=True, slots=True)
class Key:
    """A key, its account, and the fingerprint of the request; `unkeyed` is the fingerprint of version 0.1.0."""

    account_id: UUID
    text: str
    fingerprint: bytes
    unkeyed: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The stored response of the first request."""

    status: int
    body: str


def checked(text: str) -> str:
    """Return the text of a key; raises InvalidInput unless it has 1 to 255 printable ASCII characters."""
    if not 0 < len(text) <= KEY_CHARS_MAX or not text.isascii() or not text.isprintable():
        raise InvalidInput.of("Idempotency-Key", f"give 1 to {KEY_CHARS_MAX} printable ASCII characters")
    return text


def key(account_id: UUID, text: str, *, route: str, body: object) -> Key:
    """Return the key of this request; raises InvalidInput as `checked` does.

    The fingerprint is of the route and canonical JSON, so white space and the order of keys do not matter. It is keyed,
    so that a reader of the database cannot find a body by trying likely ones.
    """
    canonical = json.dumps([route, body], sort_keys=True, separators=(",", ":"))
    unkeyed = hashlib.sha256(canonical.encode()).digest()
    return Key(account_id, checked(text), hmac.digest(_fingerprint_key(), unkeyed, hashlib.sha256), unkeyed)


def recall(session: Session, wanted: Key, *, keep: timedelta) -> Answer | None:
    """Return the response of the key's first request, or None: then this transaction holds the key until it ends.

    Raises InProgress while another transaction holds the key; InvalidInput if the key was used for another request.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(lock(wanted)))):
        raise InProgress("Idempotency-Key: the first request with this key is still in progress")
    is_recent = IdempotencyKey.created_at > func.now() - keep
    row = session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.account_id == wanted.account_id, IdempotencyKey.key == wanted.text, is_recent
        )
    )
    if row is None:
        return None
    if row.fingerprint not in (wanted.fingerprint, wanted.unkeyed):  # the second until the rows of 0.1.0 are pruned
        raise InvalidInput.of("Idempotency-Key", "was used for another request; use a new key for each request")
    return Answer(row.status, row.response)


def remember(session: Session, key: Key, answer: Answer) -> None:
    """Store the response in the transaction of its request; a later response replaces it."""
    row = {"fingerprint": key.fingerprint, "status": answer.status, "response": answer.body}
    session.execute(
        insert(IdempotencyKey)
        .values(account_id=key.account_id, key=key.text, **row)
        .on_conflict_do_update(index_elements=["account_id", "key"], set_={**row, "created_at": func.now()})
    )


def prune(session: Session, *, keep: timedelta) -> None:
    """Delete the keys that are older than `keep`, by the database's clock."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < func.now() - keep))


def _fingerprint_key() -> bytes:
    """Return a key that follows from INDEX_KEY, which never changes; no address can have the same HMAC input."""
    index_key = settings.current().index_key.get_secret_value()
    return hmac.digest(index_key.encode(), b"idempotency fingerprint", hashlib.sha256)


def lock(wanted: Key) -> int:
    """Return the number of the advisory lock that `recall` takes: a signed 64-bit hash of the key."""
    digest = hashlib.sha256(b"idempotency" + wanted.account_id.bytes + wanted.text.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
