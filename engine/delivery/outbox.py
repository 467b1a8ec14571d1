"""The outbox: queue the e-mails that callers send, and read their status."""

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
from engine.audience import contacts, suppressions
from engine.messages import subjects, variables
from errors import NotFound
from models import arrays, ids
from models.email import MARKETING, TEST

_STEP = re.compile(r"^email_([123])(?:_|$)")


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One e-mail to be sent: `to` is normalised, `subject` is rendered.

    It goes to the contact with that address, or to a recipient, which `recipients.ensure` made in this transaction:
    `recipient` is its sealed address.
    """

    to: str
    template: str
    subject: str
    variables: Mapping[str, Any]
    kind: str = MARKETING
    lane: str = "transactional"
    recipient: contacts.SealedAddress | None = None
    template_version: int | None = None  # in the database

    def sealed_address(self) -> contacts.SealedAddress:
        """Return the encrypted address, with the index of its contact or recipient."""
        return self.recipient or contacts.seal(self.to)


_ADD = text(f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:indexes AS bytea[]), CAST(:contact_ids AS uuid[]), CAST(:addresses AS text[]),
        CAST(:templates AS text[]), CAST(:versions AS smallint[]), CAST(:subjects AS text[]), CAST(:lanes AS text[]),
        CAST(:kinds AS text[]), CAST(:steps AS smallint[]), CAST(:variables AS text[]), CAST(:message_ids AS text[]))
      AS v (id, index, contact_id, address, template, template_version, subject, lane, kind, step, variables,
            message_id)
), {contacts.ENSURED}
INSERT INTO emails (id, contact_id, template, template_version, subject, lane, kind, step, variables, message_id,
                    accepted_at, due_at)
SELECT given.id, people.id, template, template_version, subject, lane, kind, step, variables, message_id,
       CAST(:now AS timestamptz), CAST(:now AS timestamptz)
  FROM given JOIN people ON people.email_index = given.index
RETURNING id
""")  # noqa: S608  # built from constants


def add(session: Session, requests: Sequence[SendRequest], *, now: datetime) -> list[UUID]:
    """Queue e-mails, due at once, and create contacts for new addresses. Return the ids in the order of `requests`.

    One statement for all of them, and another one for those whose contact a different transaction created meanwhile.
    Commit, then ring the bell of the lane.
    """
    by_id = {ids.new(): request for request in requests}
    add_under(session, by_id, now=now)
    return list(by_id)


def add_under(session: Session, requests: Mapping[UUID, SendRequest], *, now: datetime) -> None:
    """Queue e-mails under these ids as `add` does."""
    missing = dict(requests)
    while missing:
        for email_id in insert(session, missing, now=now):
            del missing[email_id]


def insert(session: Session, requests: Mapping[UUID, SendRequest], *, now: datetime) -> Sequence[UUID]:
    """Queue e-mails under these ids, in one statement for ASCII addresses. Return the ids of those that were stored.

    An e-mail is not stored if another transaction created its contact while this statement ran: insert it again, then.
    """
    suppressions.inherit(session, (request.to for request in requests.values()))
    return session.scalars(_ADD, {**_columns(requests), "now": now}).all()


def _columns(requests: Mapping[UUID, SendRequest]) -> dict[str, arrays.Column]:
    values = requests.values()
    return {
        **contacts.columns([request.sealed_address() for request in values]),
        "ids": arrays.uuids(requests),
        "templates": arrays.words(request.template for request in values),
        "versions": arrays.numbers(request.template_version for request in values),
        "subjects": arrays.words(subjects.seal(request.subject) for request in values),
        "lanes": arrays.words(request.lane for request in values),
        "kinds": arrays.words(request.kind for request in values),
        "steps": arrays.numbers(None if request.kind == TEST else step_of(request.template) for request in values),
        "variables": arrays.words(variables.seal(request.variables) for request in values),
        "message_ids": arrays.words(message_id(email_id) for email_id in requests),
    }


@lru_cache(maxsize=1_000)
def step_of(template: str) -> int | None:
    """Return the step whose flags an e-mail of this template sets: 2 for `email_2_caso`; None for other names."""
    match = _STEP.match(template)
    return int(match.group(1)) if match else None


def message_id(email_id: UUID) -> str:
    """Return the Message-ID of an e-mail, without brackets: it is the same on every attempt (R12)."""
    return f"{email_id.hex}@{settings.current().message_domain}"


@dataclass(frozen=True, slots=True)
class EmailEvent:
    """One event of an e-mail."""

    event_type: str
    timestamp: datetime
    source: str
    event_data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EmailDetails:
    """An e-mail and its events, without the personal data of its contact."""

    email_id: UUID
    contact_id: UUID
    template: str
    template_version: int | None
    subject: str | None
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
    events: tuple[EmailEvent, ...]


_SUBJECTS = "c.first_name, c.last_name, c.company, c.role, c.industry, c.attributes, g.variables AS campaign_variables"
_DETAILS = text(f"""
SELECT e.*, {_SUBJECTS}
  FROM emails e JOIN contacts c ON c.id = e.contact_id LEFT JOIN campaigns g ON g.id = e.campaign_id
 WHERE e.id = :id
""")  # noqa: S608  # a constant
# An e-mail of a campaign's step that a sender has claimed, and that has no row yet.
_WITHOUT_ROW = text(f"""
SELECT CAST(:id AS uuid) AS id, n.contact_id, s.template, s.template_version, s.subject, 'marketing' AS kind,
       o.lane, o.campaign_id, o.step, CAST(:message_id AS text) AS message_id,
       CASE WHEN o.is_started THEN 'sending' ELSE 'claimed' END AS status,
       o.started_at AS accepted_at, o.started_at AS due_at, CAST(NULL AS timestamptz) AS sent_at,
       CAST(NULL AS timestamptz) AS opened_at, CAST(NULL AS timestamptz) AS clicked_at,
       CAST(NULL AS timestamptz) AS converted_at, CAST(NULL AS timestamptz) AS machine_opened_at,
       CAST(NULL AS timestamptz) AS machine_clicked_at, 0 AS attempts, CAST(NULL AS text) AS reason,
       CAST(NULL AS text) AS response, CAST(NULL AS text) AS relay, CAST(NULL AS text) AS variables, {_SUBJECTS}
  FROM enrollments n
  JOIN send_groups o ON o.state = 'open' AND o.campaign_id = n.campaign_id AND o.step = :step AND n.id = ANY(o.members)
  JOIN campaign_steps s ON s.campaign_id = o.campaign_id AND s.step = o.step
  JOIN campaigns g ON g.id = n.campaign_id
  JOIN contacts c ON c.id = n.contact_id
 WHERE n.id = :enrollment
""")  # noqa: S608  # a constant
_EVENTS = text(
    "SELECT event_type, timestamp, source, event_data FROM events "
    "WHERE email_id = :id ORDER BY timestamp, id LIMIT 1000"
)


def details(session: Session, email_id: UUID) -> EmailDetails:
    """Return an e-mail with its events. Raises NotFound."""
    row = session.execute(_DETAILS, {"id": email_id}).first()
    if row is None:
        row = session.execute(_WITHOUT_ROW, _claimed_as(email_id)).first()
    if row is None:
        raise NotFound(f"there is no e-mail {ids.public(email_id)}; use the email_id that the send returned")
    events = session.execute(_EVENTS, {"id": email_id}).mappings()
    columns = {name: row._mapping[name] for name in EmailDetails.__dataclass_fields__ if name in row._mapping}
    columns |= {"email_id": row.id, "subject": subjects.read(row)}
    return EmailDetails(**columns, events=tuple(EmailEvent(**event) for event in events))


def _claimed_as(email_id: UUID) -> dict[str, object]:
    enrollment_id, step = ids.enrollment_of(email_id), ids.step_of(email_id)
    return {"id": email_id, "message_id": message_id(email_id), "enrollment": enrollment_id, "step": step}


@dataclass(frozen=True, slots=True)
class EmailStatus:
    """The status of an e-mail, when it was sent, and the reason for its status."""

    status: str
    sent_at: datetime | None
    reason: str | None

    @property
    def is_open(self) -> bool:
        """True until a mail server has accepted or refused the e-mail, or it was cancelled."""
        return self.status in ("queued", "claimed", "sending")


def status(session: Session, email_id: UUID) -> EmailStatus:
    """Return the status of an e-mail by its primary key, for callers that poll. Raises NotFound."""
    query = text("SELECT status, sent_at, reason FROM emails WHERE id = :id")
    row = session.execute(query, {"id": email_id}).first()
    if row is None:
        raise NotFound(f"there is no e-mail {ids.public(email_id)}; use the email_id that the send returned")
    return EmailStatus(row.status, row.sent_at, row.reason)


# The lanes in which e-mails are due, for the sweep: a lost ring then costs one tick.
DUE_LANES = """
    SELECT lane FROM (VALUES ('transactional'), ('campaign')) AS lanes(lane)
     WHERE EXISTS (SELECT 1 FROM emails e WHERE e.status = 'queued' AND e.lane = lanes.lane AND e.due_at <= :now)
"""
_READER = text("""
    SELECT contacts.locale, emails.template, emails.template_version,
           suppressions.reason = 'unsubscribed', contacts.paused_until
      FROM emails JOIN contacts ON contacts.id = contact_id LEFT JOIN suppressions USING (email_index)
     WHERE emails.id = :email_id
""")


class Reader(NamedTuple):
    """The reader of an e-mail: the language as far as it is known, the e-mail's template, and the reader's consent."""

    locale: str | None
    template: str
    template_version: int | None
    has_unsubscribed: bool | None
    paused_until: datetime | None


def reader(session: Session, email_id: UUID) -> Reader | None:
    """Return what the unsubscribe page shows about the reader of an e-mail; None if it has no row."""
    row = session.execute(_READER, {"email_id": email_id}).first()
    return None if row is None else Reader(*row)
