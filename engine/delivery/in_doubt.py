"""E-mails in doubt: their whole body was sent and no reply was read. Evidence or the lane's policy ends it (R11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery.transitions import Settled
from models import arrays, together
from models.together import Query

MAX_RESENDS = 3
DECIDED_MAX = 5_000  # e-mails in one transaction
COUNTED_MAX = 1_000

_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An e-mail in doubt, as shown to a person; `since` is when its group ended, by the database's clock."""

    email_id: UUID
    contact_id: UUID
    lane: str
    template: str
    campaign_id: UUID | None
    campaign: str | None
    step: int | None
    since: datetime | None
    attempts: int
    response: str | None
    relay: str | None
    message_id: str


@dataclass(frozen=True, slots=True)
class Share:
    """The e-mails in doubt of one campaign, or of none; `number` counts up to `COUNTED_MAX` of all."""

    campaign_id: UUID | None
    campaign: str | None
    number: int


_LISTED = text("""
SELECT e.id AS email_id, e.contact_id, e.lane, e.template, e.campaign_id, c.name AS campaign, e.step,
       g.ended_at AS since, e.attempts, e.response, e.relay, e.message_id
  FROM emails e LEFT JOIN send_groups g ON g.id = e.claim LEFT JOIN campaigns c ON c.id = e.campaign_id
 WHERE e.status = 'in_doubt' AND e.id > :after
   AND (CAST(:campaign_id AS uuid) IS NULL OR e.campaign_id = CAST(:campaign_id AS uuid))
 ORDER BY e.id LIMIT :limit
""")
_SHARES = text("""
SELECT listed.campaign_id, c.name AS campaign, count(*) AS number
  FROM (SELECT campaign_id FROM emails WHERE status = 'in_doubt' ORDER BY id LIMIT :most) AS listed
  LEFT JOIN campaigns c ON c.id = listed.campaign_id GROUP BY listed.campaign_id, c.name ORDER BY number DESC, c.name
""")
_SUMMARY = """
SELECT count(*) AS number, (
           SELECT g.ended_at FROM (SELECT claim FROM emails WHERE status = 'in_doubt' ORDER BY id LIMIT 1) AS oldest
             JOIN send_groups g ON g.id = oldest.claim) AS since
  FROM (SELECT 1 FROM emails WHERE status = 'in_doubt' LIMIT :most) AS listed
"""
_IDS = text("""
SELECT id FROM emails
 WHERE status = 'in_doubt' AND (CAST(:campaign_id AS uuid) IS NULL OR campaign_id = CAST(:campaign_id AS uuid))
 ORDER BY id LIMIT :limit
""")
_EVIDENCE = text("""
SELECT email_id, event_type, timestamp, source FROM events
 WHERE email_id = ANY(CAST(:ids AS uuid[])) ORDER BY email_id, id LIMIT :limit
""")
# Locked in the order of their ids, so that people who decide at once wait for each other and do not deadlock.
_LOCKED = """(
    SELECT id FROM emails WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'in_doubt' ORDER BY id FOR NO KEY UPDATE
) AS locked WHERE e.id = locked.id"""
_PROVE = text(f"""
UPDATE emails AS e SET status = 'sent', reason = :reason, claim = NULL, sent_at = :now FROM {_LOCKED}
RETURNING e.id, contact_id, campaign_id, enrollment_id, step, variant, kind
""")  # noqa: S608  # built from constants
_RESEND = text(f"""
UPDATE emails AS e SET status = 'queued', due_at = :now, reason = 'sent again after doubt', claim = NULL FROM {_LOCKED}
""")  # noqa: S608  # built from constants


def pending(
    session: Session, *, limit: int = COUNTED_MAX, after: UUID | None = None, campaign_id: UUID | None = None
) -> list[Doubt]:
    """Return e-mails in doubt, oldest first: those behind `after`, of one campaign or of all."""
    rows = session.execute(_LISTED, {"after": after or _FIRST, "campaign_id": campaign_id, "limit": limit})
    return [Doubt(*row) for row in rows]


def shares(session: Session) -> list[Share]:
    """Return how many e-mails are in doubt by campaign, the most first; counts the oldest `COUNTED_MAX` of all."""
    return [Share(*row) for row in session.execute(_SHARES, {"most": COUNTED_MAX})]


def summary(session: Session) -> tuple[int, datetime | None]:
    """Return the number of e-mails in doubt, counted up to `COUNTED_MAX`, and since when the oldest is."""
    return together.one(session, summary_query())


def summary_query() -> Query[tuple[int, datetime | None]]:
    """Return the query of `summary`."""
    return Query(_SUMMARY, ("number", "since"), _summary, {"most": COUNTED_MAX})


def _summary(rows: Sequence[Any]) -> tuple[int, datetime | None]:
    [(number, since)] = rows
    return number, since


def listed(session: Session, *, campaign_id: UUID | None = None, limit: int = DECIDED_MAX) -> list[UUID]:
    """Return the ids of e-mails in doubt, oldest first: those of one campaign, or all."""
    return list(session.scalars(_IDS, {"campaign_id": campaign_id, "limit": limit}))


@dataclass(frozen=True, slots=True)
class Evidence:
    """An event of an e-mail in doubt. If it proves the arrival, it ends the doubt as soon as it is applied."""

    event_type: str
    at: datetime
    source: str


def evidence(session: Session, email_ids: Sequence[UUID], *, limit: int = 500) -> dict[UUID, list[Evidence]]:
    """Return the events of these e-mails, by e-mail."""
    events: dict[UUID, list[Evidence]] = {}
    for row in session.execute(_EVIDENCE, {"ids": arrays.uuids(email_ids), "limit": limit}):
        events.setdefault(row.email_id, []).append(Evidence(row.event_type, row.timestamp, row.source))
    return events


def prove(session: Session, email_ids: Sequence[UUID], *, now: datetime, reason: str = "evidence") -> list[Settled]:
    """Record those of `email_ids` that are in doubt as sent, and return them so that their sequences continue.

    `sent_at` becomes `now`: the true moment is unknown, and the next step must not be due too early.
    """
    rows = session.execute(_PROVE, {"ids": arrays.uuids(email_ids), "now": now, "reason": reason})
    return [_settled(row, "sent", now) for row in rows]


def resend(session: Session, email_ids: Sequence[UUID], *, now: datetime) -> int:
    """Queue e-mails in doubt again, with the same Message-ID. Return how many were still in doubt."""
    result = session.execute(_RESEND, {"ids": arrays.uuids(email_ids), "now": now})
    return result.rowcount  # type: ignore[attr-defined,no-any-return]  # as of every UPDATE


def overdue(session: Session, lanes: Sequence[str], *, after_s: float, limit: int = 1000) -> list[UUID]:
    """Return e-mails of `lanes` that are in doubt for more than `after_s` seconds and may be sent again."""
    query = text(
        "SELECT e.id FROM emails e JOIN send_groups g ON g.id = e.claim "
        "WHERE e.status = 'in_doubt' AND e.lane = ANY(:lanes) AND e.attempts <= :most "
        "AND g.ended_at < now() - make_interval(secs => :after) ORDER BY e.id LIMIT :limit"
    )
    values = {"lanes": list(lanes), "most": MAX_RESENDS, "after": after_s, "limit": limit}
    return list(session.scalars(query, values))


def _settled(row: Row[tuple[object, ...]], status: str, now: datetime) -> Settled:
    return Settled(
        row.id, row.contact_id, row.campaign_id, row.enrollment_id, row.step, row.variant, status, now, sent_at=now,
        kind=row.kind,
    )  # fmt: skip
