"""Events: what came back about an e-mail, stored once whoever reports it and however often."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import bots
from errors import InvalidInput
from models import arrays, ids
from models.event import SOURCES, TYPES

# An open or a click cannot precede the sending: where the ledger does not know of the sending yet, they wait for it.
WAITS_FOR_SENDING = ("opened", "clicked")
NOT_SENT = ("queued", "claimed", "sending", "cancelled", "failed")

# Made once: json.dumps makes an encoder at each call with options like these.
_told = json.JSONEncoder(separators=(",", ":"), default=str).encode

# What tells the hits of one moment apart, beside their link.
_WHO = ("method", "network", "prefix", "agent")

# The rows of mails on their way are locked against whoever settles them right now: it either finds these events when
# it releases, or they find it sent and are not held.
_INSERT = text("""
WITH on_its_way AS MATERIALIZED (
    SELECT id FROM emails WHERE id = ANY(CAST(:waiting AS uuid[])) AND status = ANY(:not_sent) ORDER BY id FOR SHARE
)
INSERT INTO events (id, email_id, event_type, event_data, timestamp, source, dedupe_key, received_at, held)
SELECT given.id, given.email_id, given.event_type, CAST(given.event_data AS jsonb), given.timestamp, given.source,
       given.dedupe_key, given.received_at,
       given.event_type = ANY(:wait_types) AND given.email_id IN (SELECT id FROM on_its_way)
FROM unnest(CAST(:id AS uuid[]), CAST(:email_id AS uuid[]), CAST(:event_type AS text[]), CAST(:event_data AS text[]),
            CAST(:timestamp AS timestamptz[]), CAST(:source AS text[]), CAST(:dedupe_key AS bytea[]),
            CAST(:received_at AS timestamptz[]))
     AS given (id, email_id, event_type, event_data, timestamp, source, dedupe_key, received_at)
JOIN emails ON emails.id = given.email_id
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
class Arrival:
    """An event as reported. Without a timestamp it happened when it was received.

    Two arrivals are the same event when they agree in e-mail, type, link or url, for a hit also in how and by whom it
    was made, and in `key` where the reporter has a name for the event, else in the second of their timestamp.
    """

    email_id: UUID
    event_type: str
    timestamp: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = "unknown"
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An arrival made ready to be stored: what makes it unique is settled, so it may be stored any number of times."""

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
    # In the order of their keys, so that two reports of the same events wait for each other without a deadlock.
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
        "waiting": arrays.uuids(row.email_id for row in rows if row.event_type in WAITS_FOR_SENDING),
    }
    words = {"not_sent": list(NOT_SENT), "wait_types": list(WAITS_FOR_SENDING)}
    return set(session.execute(_INSERT, columns | words).scalars())


def entry(arrival: Arrival, *, now: datetime) -> Entry:
    """Return the arrival as an entry that is received now. A timestamp after `now` becomes `now`.

    Raises InvalidInput for an unknown type or source, and for a timestamp without a time zone.
    """
    _check(arrival)
    moment, data = arrival.timestamp or now, arrival.data
    if moment > now:
        data, moment = {**data, "claimed_timestamp": moment.isoformat()}, now
    key = dedupe_key(arrival, now)
    told = json.dumps(data)
    return Entry(ids.at(moment), arrival.email_id, arrival.event_type, told, moment, arrival.source, key, now)


def release(session: Session, email_ids: Sequence[UUID]) -> int:
    """Let the held events of these e-mails be applied, for those recorded as sent (or in doubt); how many there were.

    To be called in the transaction that records the sending, after it did. Safe to run twice. Ring "events" when it
    is not 0.
    """
    if not email_ids or not session.scalar(_ANY_HELD):
        return 0
    return len(session.execute(_RELEASE, {"ids": arrays.uuids(email_ids), "not_sent": list(NOT_SENT)}).all())


def dedupe_key(arrival: Arrival, now: datetime) -> bytes:
    """16 bytes that are equal for the same event; the moment counts to the second, as it was reported."""
    moment = arrival.timestamp or now
    named = arrival.key if arrival.key is not None else moment.astimezone(UTC).replace(microsecond=0).isoformat()
    where = [arrival.data.get("link"), arrival.data.get("url")]
    if bots.is_hit(arrival.event_type, arrival.data):
        where += [arrival.data.get(name) for name in _WHO]
    told = _told([arrival.email_id.hex, arrival.event_type, named, where])
    return blake2b(told.encode(), digest_size=16, person=b"cadencia event").digest()


def _check(arrival: Arrival) -> None:
    if arrival.event_type not in TYPES:
        raise InvalidInput.of("event_type", f"unknown; one of {', '.join(TYPES)} is expected")
    if arrival.source not in SOURCES:
        raise InvalidInput.of("source", f"unknown; one of {', '.join(SOURCES)} is expected")
    if arrival.timestamp is not None and arrival.timestamp.utcoffset() is None:
        raise InvalidInput.of("timestamp", "has no time zone; write it as 2024-01-15T10:05:00Z")
