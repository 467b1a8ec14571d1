"""Identifiers: UUIDv7 with all 74 random bits random, because an e-mail's id is a capability (RFC 9562, 5.7)."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models import random_blocks

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_EMAIL_PREFIX = "email_"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)

# The same in SQL, for INSERT … SELECT on PostgreSQL 14 and newer (uuidv7() exists from 18 on, with fewer random bits).
_NEW_BYTES = (
    "set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing "
    "substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) "
    "from 1 for 6), 52, 1), 53, 1)"
)
NEW_SQL = f"encode({_NEW_BYTES}, 'hex')::uuid"
# An enrollment's id ends in two zero bits; with the number of a step in them it is the id of that step's e-mail. So an
# e-mail has its id before it has a row, and the same id on every attempt.
NEW_ENROLLMENT_SQL = f"encode(set_bit(set_bit({_NEW_BYTES}, 120, 0), 121, 0), 'hex')::uuid"
_STEP_BITS = 0b11
_HOUR_MS = 3_600_000
_LATEST_MS = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // _MILLISECOND - 1


def new() -> UUID:
    """Return a new id: 48 bits of milliseconds, then random bits."""
    return _made(time.time_ns() // 1_000_000)


def at(moment: datetime) -> UUID:
    """Return a new id with this moment instead of the present, so that ids sort by the moments of their rows."""
    return _made(_milliseconds(moment))


def first_at(moment: datetime) -> UUID:
    """Return the lower bound of the ids from this moment on."""
    return UUID(int=_milliseconds(moment) << 80)


def moment_of(row_id: UUID) -> datetime:
    """Return the millisecond in an id; the end of the year 9998 if the id has a later one."""
    return EPOCH + min(row_id.int >> 80, _LATEST_MS) * _MILLISECOND


def before(row_id: UUID) -> UUID:
    """Return a lower bound of the ids of rows made after this one: an hour earlier, more than clocks differ."""
    return UUID(int=max(0, row_id.int - (_HOUR_MS << 80)))


def microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970 to this moment, for positions in lists; `moment_at` is the inverse."""
    return (moment - EPOCH) // _MICROSECOND


def moment_at(count: int) -> datetime:
    """Return the moment so many microseconds after 1970. Raises OverflowError."""
    return EPOCH + count * _MICROSECOND


def _milliseconds(moment: datetime) -> int:
    return max(0, (moment - EPOCH) // _MILLISECOND)


def _made(milliseconds: int) -> UUID:
    random = int.from_bytes(random_blocks.block()[:10])
    high = (random >> 62) & 0xFFF
    low = random & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | _VERSION_7 | high << 64 | _VARIANT | low)


def new_enrollment() -> UUID:
    """Return a new id of an enrollment; its last two bits are zero."""
    return UUID(int=new().int & ~_STEP_BITS)


def of_step(enrollment_id: UUID, step: int) -> UUID:
    """Return the id of the e-mail of step 1, 2 or 3 of an enrollment."""
    return UUID(int=enrollment_id.int | step)


def last_step_sql(enrollment_id: str) -> str:
    """Return the SQL of the highest id of an enrollment's e-mails, so that an index finds them by a range."""
    return f"encode(set_bit(set_bit(uuid_send({enrollment_id}), 120, 1), 121, 1), 'hex')::uuid"


def enrollment_of(email_id: UUID) -> UUID:
    """Return the enrollment of this e-mail, if it is a campaign's e-mail."""
    return UUID(int=email_id.int & ~_STEP_BITS)


def step_of(email_id: UUID) -> int:
    """Return the step of this e-mail, if it is a campaign's e-mail."""
    return email_id.int & _STEP_BITS


def public(email_id: UUID) -> str:
    """Return the public form of an e-mail's id: `email_<32 hex>`."""
    return _EMAIL_PREFIX + email_id.hex


def parse(text: str) -> UUID | None:
    """Return the id in `email_<32 hex>` or in a bare UUID; None for other text."""
    try:
        return UUID(text.removeprefix(_EMAIL_PREFIX))
    except ValueError:
        return None
