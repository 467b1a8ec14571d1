"""Idempotency keys: a request that is sent twice is done once, and answered the same both times.

After draft-ietf-httpapi-idempotency-key-header-07; rule R26. A key lives as long as the settings say, by the
database's clock.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from errors import InProgress, InvalidInput
from models import IdempotencyKey

KEY_CHARS_MAX = 255


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its owner sent it, and the request it came with."""

    account_id: UUID
    text: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request was told."""

    status: int
    body: str


def key(account_id: UUID, text: str, *, route: str, body: object) -> Key:
    """The key of this request; InvalidInput unless it has 1 to 255 printable ASCII characters.

    The fingerprint is that of route and canonical JSON, so spaces and the order of keys make no other request.
    """
    if not 0 < len(text) <= KEY_CHARS_MAX or not text.isascii() or not text.isprintable():
        raise InvalidInput.of("Idempotency-Key", f"1 to {KEY_CHARS_MAX} printable ASCII characters are needed")
    canonical = json.dumps([route, body], sort_keys=True, separators=(",", ":"))
    return Key(account_id, text, hashlib.sha256(canonical.encode()).digest())


def recall(session: Session, wanted: Key, *, keep: timedelta) -> Answer | None:
    """The answer the key's first request got, or None: then it is this transaction's to do, until it ends.

    InProgress while another transaction does it; InvalidInput when the key came with another request.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(lock(wanted)))):
        raise InProgress("Idempotency-Key: the first request with this key is still being worked on")
    kept = IdempotencyKey.created_at > func.now() - keep
    row = session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.account_id == wanted.account_id, IdempotencyKey.key == wanted.text, kept
        )
    )
    if row is None:
        return None
    if row.fingerprint != wanted.fingerprint:
        raise InvalidInput.of("Idempotency-Key", "was used for another request; take a new key for each request")
    return Answer(row.status, row.response)


def remember(session: Session, done: Key, answer: Answer) -> None:
    """Keep what the request was told, in the transaction that did its work; a later answer replaces it."""
    row = {"fingerprint": done.fingerprint, "status": answer.status, "response": answer.body}
    session.execute(
        insert(IdempotencyKey)
        .values(account_id=done.account_id, key=done.text, **row)
        .on_conflict_do_update(index_elements=["account_id", "key"], set_={**row, "created_at": func.now()})
    )


def prune(session: Session, *, keep: timedelta) -> None:
    """Delete the keys that are older than `keep`, by the database's clock."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < func.now() - keep))


def lock(wanted: Key) -> int:
    """The number of the advisory lock that `recall` takes: 64 bits of the key, signed."""
    digest = hashlib.sha256(b"idempotency" + wanted.account_id.bytes + wanted.text.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
