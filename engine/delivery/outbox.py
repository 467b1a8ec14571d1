"""The outbox: e-mails as callers give them to us and ask about them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.audience import contacts
from engine.messages import variables
from errors import NotFound
from models import arrays, ids

_STEP = re.compile(r"^email_([123])(?:_|$)")


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One e-mail to be sent: `to` normalised, `subject` as the template has it, not rendered."""

    to: str
    template: str
    subject: str
    variables: Mapping[str, Any]
    kind: str = "marketing"
    lane: str = "transactional"


_ADD = text(f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:indexes AS bytea[]), CAST(:contact_ids AS uuid[]), CAST(:addresses AS text[]),
        CAST(:templates AS text[]), CAST(:subjects AS text[]), CAST(:lanes AS text[]), CAST(:kinds AS text[]),
        CAST(:steps AS smallint[]), CAST(:variables AS text[]), CAST(:message_ids AS text[]))
      AS v (id, index, contact_id, address, template, subject, lane, kind, step, variables, message_id)
), {contacts.ENSURED}
INSERT INTO emails (id, contact_id, template, subject, lane, kind, step, variables, message_id, accepted_at, due_at)
SELECT given.id, people.id, template, subject, lane, kind, step, variables, message_id,
       CAST(:now AS timestamptz), CAST(:now AS timestamptz)
  FROM given JOIN people ON people.email_index = given.index
RETURNING id
""")  # noqa: S608  # our own words


def add(session: Session, requests: Sequence[SendRequest], *, now: datetime) -> list[UUID]:
    """Queue e-mails, due at once, making contacts of new addresses; their ids in the order given.

    One statement however many there are, and another for those whose contact a different transaction made meanwhile.
    After the caller's commit, ring the lane's bell.
    """
    wanted = {ids.new(): request for request in requests}
    waiting = dict(wanted)
    while waiting:
        for email_id in offer(session, waiting, now=now):
            del waiting[email_id]
    return list(wanted)


def offer(session: Session, requests: Mapping[UUID, SendRequest], *, now: datetime) -> Sequence[UUID]:
    """Queue e-mails under these ids in one statement; the ids of those that were stored.

    Not stored is only what is for a contact that another transaction made while this statement ran: offer it again.
    """
    return session.scalars(_ADD, {**_columns(requests), "now": now}).all()


def _columns(requests: Mapping[UUID, SendRequest]) -> dict[str, arrays.Column]:
    given = requests.values()
    return {
        **contacts.columns([contacts.given_of(request.to) for request in given]),
        "ids": arrays.uuids(requests),
        "templates": arrays.words(request.template for request in given),
        "subjects": arrays.words(request.subject for request in given),
        "lanes": arrays.words(request.lane for request in given),
        "kinds": arrays.words(request.kind for request in given),
        "steps": arrays.numbers(step_of(request.template) for request in given),
        "variables": arrays.words(variables.seal(request.variables) for request in given),
        "message_ids": arrays.words(message_id(email_id) for email_id in requests),
    }


@lru_cache(maxsize=1_000)
def step_of(template: str) -> int | None:
    """The step whose flags a single mail of this template sets: `email_2_caso` is step 2; None for others."""
    found = _STEP.match(template)
    return int(found.group(1)) if found else None


def message_id(email_id: UUID) -> str:
    """The Message-ID of an e-mail, bare: fixed at its creation and equal on every attempt (R12)."""
    return f"{email_id.hex}@{settings.current().message_domain}"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of an e-mail's story."""

    event_type: str
    timestamp: datetime
    source: str
    event_data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one e-mail, without the person it went to."""

    email_id: UUID
    contact_id: UUID
    template: str
    subject: str
    kind: str
    lane: str
    campaign_id: UUID | None
    step: int | None
    message_id: str
    status: str
    accepted_at: datetime
    due_at: datetime
    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    converted_at: datetime | None
    machine_opened_at: datetime | None
    machine_clicked_at: datetime | None
    attempts: int
    reason: str | None
    response: str | None
    relay: str | None
    events: tuple[Happening, ...]


_STORY = text(
    "SELECT id AS email_id, contact_id, template, subject, kind, lane, campaign_id, step, message_id, status, "
    "accepted_at, due_at, sent_at, opened_at, clicked_at, converted_at, machine_opened_at, machine_clicked_at, "
    "attempts, reason, response, relay "
    "FROM emails WHERE id = :id"
)
# A campaign's mail that a sender has in hand, and that has no row yet.
_IN_HAND = text("""
SELECT CAST(:id AS uuid) AS email_id, n.contact_id, s.template, s.subject, 'marketing' AS kind, g.lane, g.campaign_id,
       g.step, CAST(:message_id AS text) AS message_id,
       CASE WHEN g.is_started THEN 'sending' ELSE 'claimed' END AS status,
       g.started_at AS accepted_at, g.started_at AS due_at, CAST(NULL AS timestamptz) AS sent_at,
       CAST(NULL AS timestamptz) AS opened_at, CAST(NULL AS timestamptz) AS clicked_at,
       CAST(NULL AS timestamptz) AS converted_at, CAST(NULL AS timestamptz) AS machine_opened_at,
       CAST(NULL AS timestamptz) AS machine_clicked_at, 0 AS attempts, CAST(NULL AS text) AS reason,
       CAST(NULL AS text) AS response, CAST(NULL AS text) AS relay
  FROM enrollments n
  JOIN send_groups g ON g.state = 'open' AND g.campaign_id = n.campaign_id AND g.step = :step AND n.id = ANY(g.members)
  JOIN campaign_steps s ON s.campaign_id = g.campaign_id AND s.step = g.step
 WHERE n.id = :enrollment
""")
_EVENTS = text(
    "SELECT event_type, timestamp, source, event_data FROM events "
    "WHERE email_id = :id ORDER BY timestamp, id LIMIT 1000"
)


def story(session: Session, email_id: UUID) -> Story:
    """Everything that happened to one e-mail; raises NotFound."""
    row = session.execute(_STORY, {"id": email_id}).mappings().first()
    if row is None:
        row = session.execute(_IN_HAND, _in_hand(email_id)).mappings().first()
    if row is None:
        raise NotFound(f"there is no e-mail {ids.public(email_id)}; take the email_id that the send answered")
    events = session.execute(_EVENTS, {"id": email_id}).mappings()
    return Story(**row, events=tuple(Happening(**event) for event in events))


def _in_hand(email_id: UUID) -> dict[str, object]:
    enrollment_id, step = ids.enrollment_of(email_id), ids.step_of(email_id)
    return {"id": email_id, "message_id": message_id(email_id), "enrollment": enrollment_id, "step": step}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an e-mail is just now."""

    status: str
    sent_at: datetime | None
    reason: str | None

    @property
    def is_open(self) -> bool:
        """Whether the mail server has not decided yet."""
        return self.status in ("queued", "claimed", "sending")


def standing(session: Session, email_id: UUID) -> Standing:
    """Where one e-mail is; one primary-key look-up, for callers that wait. Raises NotFound."""
    query = text("SELECT status, sent_at, reason FROM emails WHERE id = :id")
    row = session.execute(query, {"id": email_id}).first()
    if row is None:
        raise NotFound(f"there is no e-mail {ids.public(email_id)}; take the email_id that the send answered")
    return Standing(row.status, row.sent_at, row.reason)


def due_lanes(session: Session, *, now: datetime) -> list[str]:
    """The lanes in which something is due; for the sweep, so that a lost ring costs one tick."""
    query = text(
        "SELECT lane FROM (VALUES ('transactional'), ('campaign')) AS lanes(lane) WHERE EXISTS "
        "(SELECT 1 FROM emails e WHERE e.status = 'queued' AND e.lane = lanes.lane AND e.due_at <= :now)"
    )
    return list(session.scalars(query, {"now": now}))


_SPOKEN = text("""
    SELECT contacts.locale, emails.template FROM emails JOIN contacts ON contacts.id = contact_id
     WHERE emails.id = :email_id
""")


class Spoken(NamedTuple):
    """What tells the language of an e-mail: its contact's, if it is known, and its template."""

    locale: str | None
    template: str


def spoken(session: Session, email_id: UUID) -> Spoken | None:
    """What tells the language of this e-mail; None where it has no row. Changes nothing."""
    row = session.execute(_SPOKEN, {"email_id": email_id}).first()
    return None if row is None else Spoken(*row)
