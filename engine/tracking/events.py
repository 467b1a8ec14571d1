"""Events of an e-mail: opened, clicked, replied and others, each stored once however often it is reported."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import errors
from engine.tracking.bots import hits
from errors import InvalidInput
from models import arrays, ids
from models.event import SOURCES, TYPES

# An open or a click before the sending is recorded is held until it is.
WAITS_FOR_SENDING = ("opened", "clicked")
NOT_SENT = ("queued", "claimed", "sending", "cancelled", "failed")

# Made once: json.dumps makes a new encoder at each call with such options.
_compact = json.JSONEncoder(separators=(",", ":"), default=str).encode

# With the link, these distinguish hits of the same second.
_REQUEST = ("method", "network", "prefix", "agent")

# Locks the rows of unsent e-mails against a concurrent settlement: either it releases these events, or they see the
# e-mail as sent and are not held.
_INSERT = text("""
WITH unsent AS MATERIALIZED (
    SELECT id FROM emails WHERE id = ANY(CAST(:may_wait AS uuid[])) AND status = ANY(:not_sent) ORDER BY id FOR SHARE
)
INSERT INTO events (id, email_id, event_type, event_data, timestamp, source, dedupe_key, received_at, held)
SELECT v.id, v.email_id, v.event_type, CAST(v.event_data AS jsonb), v.timestamp, v.source,
       v.dedupe_key, v.received_at,
       v.event_type = ANY(:wait_types) AND v.email_id IN (SELECT id FROM unsent)
FROM unnest(CAST(:id AS uuid[]), CAST(:email_id AS uuid[]), CAST(:event_type AS text[]), CAST(:event_data AS text[]),
            CAST(:timestamp AS timestamptz[]), CAST(:source AS text[]), CAST(:dedupe_key AS bytea[]),
            CAST(:received_at AS timestamptz[]))
     AS v (id, email_id, event_type, event_data, timestamp, source, dedupe_key, received_at)
JOIN emails ON emails.id = v.email_id
ON CONFLICT (dedupe_key) DO NOTHING
RETURNING dedupe_key
""")

_ANY_HELD = text("SELECT EXISTS (SELECT 1 FROM events WHERE held)")
_RELEASE = text("""
UPDATE events SET held = false
FROM emails
WHERE events.held AND events.email_id = ANY(CAST(:ids AS uuid[]))
  AND emails.id = events.email_id AND emails.status <> ALL(:not_sent)
RETURNING events.id
""")


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event as observed or reported. Without a timestamp it happened when it was received.

    Two of them are the same event if they have the same e-mail, type, link or url, and `key`, or without a key the same
    second; hits also the same method, network, prefix and agent.
    """

    email_id: UUID
    event_type: str
    timestamp: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = "unknown"
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its dedupe key, ready to be stored or spooled, any number of times."""

    id: UUID
    email_id: UUID
    event_type: str
    event_data: str
    timestamp: datetime
    source: str
    dedupe_key: bytes
    received_at: datetime


def insert(session: Session, by_key: Mapping[bytes, Entry]) -> set[bytes]:
    """Insert these entries, by their dedupe keys; return the keys of those that were not stored before.

    Leaves out entries whose e-mail has no row (see `engine.delivery.early_events`). Safe to run twice, also at once.
    """
    # In the order of their keys, so that concurrent reports of the same events cannot deadlock.
    rows = [by_key[key] for key in sorted(by_key)]
    columns = {
        "id": arrays.uuids(row.id for row in rows),
        "email_id": arrays.uuids(row.email_id for row in rows),
        "event_type": arrays.words(row.event_type for row in rows),
        "event_data": arrays.words(row.event_data for row in rows),
        "timestamp": arrays.moments(row.timestamp for row in rows),
        "source": arrays.words(row.source for row in rows),
        "dedupe_key": arrays.blobs(row.dedupe_key for row in rows),
        "received_at": arrays.moments(row.received_at for row in rows),
        "may_wait": arrays.uuids(row.email_id for row in rows if row.event_type in WAITS_FOR_SENDING),
    }
    constants = {"not_sent": list(NOT_SENT), "wait_types": list(WAITS_FOR_SENDING)}
    return set(session.execute(_INSERT, columns | constants).scalars())


def prepare(event: IncomingEvent, *, now: datetime) -> Entry:
    """Return the entry of an event that is received now. A timestamp after `now` becomes `now`.

    Raises InvalidInput for an unknown type or source, and for a timestamp without a time zone.
    """
    _check(event)
    moment, data = event.timestamp or now, event.data
    if moment > now:
        data, moment = {**data, "claimed_timestamp": moment.isoformat()}, now
    key = dedupe_key(event, now)
    return Entry(ids.at(moment), event.email_id, event.event_type, json.dumps(data), moment, event.source, key, now)


def release(session: Session, email_ids: Sequence[UUID]) -> int:
    """Release the held events of those of these e-mails that are sent or in doubt; return their number.

    Call it in the transaction that records the sending, after that. Safe to run twice. Ring "events" if it is not 0.
    """
    if not email_ids or not session.scalar(_ANY_HELD):
        return 0
    return len(session.execute(_RELEASE, {"ids": arrays.uuids(email_ids), "not_sent": list(NOT_SENT)}).all())


def dedupe_key(event: IncomingEvent, now: datetime) -> bytes:
    """Return 16 bytes that are equal for the same event (see `IncomingEvent`)."""
    moment = event.timestamp or now
    key = event.key if event.key is not None else moment.astimezone(UTC).replace(microsecond=0).isoformat()
    details = [event.data.get("link"), event.data.get("url")]
    if hits.is_hit(event.event_type, event.data):
        details += [event.data.get(name) for name in _REQUEST]
    identity = _compact([event.email_id.hex, event.event_type, key, details])
    return blake2b(identity.encode(), digest_size=16, person=b"cadencia event").digest()


def _check(event: IncomingEvent) -> None:
    if event.event_type not in TYPES:
        raise InvalidInput.of("event_type", errors.unknown(event.event_type, TYPES))
    if event.source not in SOURCES:
        raise InvalidInput.of("source", errors.unknown(event.source, SOURCES))
    if event.timestamp is not None and event.timestamp.utcoffset() is None:
        raise InvalidInput.of("timestamp", "has no time zone; write it as 2024-01-15T10:05:00Z")
