"""Flags, status and score of contacts, and their lock. Late or repeated events give the same result in any order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.scoring import rules
from models import arrays

# `email_followup_status`, from weak to strong: the stronger stays. What ends a contact's sequences outranks the last
# step sent.
STATUSES = ("new", "email_1_sent", "email_2_sent", "email_3_sent",
            "replied", "unsubscribed", "bounced", "converted", "complained")  # fmt: skip

_LOCK = text("""
SELECT erased_at IS NOT NULL FROM contacts WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")
# One statement for each step: a statement that sets all three flags costs more.
_MARK_SENT = {
    step: text(f"""
UPDATE contacts c
SET email_{step}_sent = true, updated_at = :now,
    email_followup_status = CASE
        WHEN c.email_followup_status = 'new' THEN 'email_{step}_sent'
        WHEN c.email_followup_status LIKE 'email\\__\\_sent' THEN greatest(c.email_followup_status, 'email_{step}_sent')
        ELSE c.email_followup_status END
FROM unnest(CAST(:contacts AS uuid[])) AS sent(contact_id)
WHERE c.id = sent.contact_id
""")  # noqa: S608  # a number of ours
    for step in rules.STEPS
}

_FLAGS = [f"email_{step}_{kind}" for step in rules.STEPS for kind in ("opened", "clicked")]
_COLUMNS = [*_FLAGS, "converted", "converted_at", "email_followup_status"]
_RANK = "array_position(CAST(:statuses AS text[]), CAST({}.email_followup_status AS text))"
_ADD = text(f"""
UPDATE contacts AS was
SET {", ".join(f"{column} = new.{column}" for column in _COLUMNS)}, score = {rules.sql("new")}, updated_at = :now
FROM (
    SELECT held.id, {", ".join(f"held.{flag} OR added.{flag} AS {flag}" for flag in _FLAGS)},
           held.converted OR added.converted_at IS NOT NULL AS converted,
           least(held.converted_at, added.converted_at) AS converted_at,
           CASE WHEN {_RANK.format("added")} > {_RANK.format("held")}
                THEN added.email_followup_status ELSE held.email_followup_status END AS email_followup_status
    FROM unnest(CAST(:id AS uuid[]), {", ".join(f"CAST(:{flag} AS boolean[])" for flag in _FLAGS)},
                CAST(:converted_at AS timestamptz[]), CAST(:email_followup_status AS text[]))
         AS added (id, {", ".join(_FLAGS)}, converted_at, email_followup_status)
    JOIN contacts AS held ON held.id = added.id
) AS new
WHERE was.id = new.id AND ({", ".join(f"was.{column}" for column in _COLUMNS)})
                          IS DISTINCT FROM ({", ".join(f"new.{column}" for column in _COLUMNS)})
""")  # noqa: S608  # built from the names above alone

_RECOMPUTE = text(f"""
UPDATE contacts AS was
SET {", ".join(f"{flag} = new.{flag}" for flag in _FLAGS)}, score = {rules.sql("new")}, updated_at = :now
FROM (
    SELECT held.id, held.converted, held.email_followup_status, {
    ", ".join(
        f"coalesce(bool_or(m.{kind}_at IS NOT NULL) FILTER (WHERE m.step = {step}), false) AS email_{step}_{kind}"
        for step in rules.STEPS
        for kind in ("opened", "clicked")
    )
}
    FROM contacts AS held LEFT JOIN emails m ON m.contact_id = held.id
    WHERE held.id = ANY(CAST(:ids AS uuid[])) GROUP BY held.id
) AS new
WHERE was.id = new.id AND ({", ".join(f"was.{flag}" for flag in _FLAGS)}, was.score)
                          IS DISTINCT FROM ({", ".join(f"new.{flag}" for flag in _FLAGS)}, {rules.sql("new")})
""")  # noqa: S608  # built from the names above alone

_MARK_BOUNCED = text("""
UPDATE contacts SET email_followup_status = 'bounced', score = 0, updated_at = :now
 WHERE id = ANY(:ids) AND email_followup_status NOT IN ('converted', 'complained')
""")
_RESTORE_STATUS = text("""
UPDATE contacts SET email_followup_status = CASE WHEN email_3_sent THEN 'email_3_sent'
                                                 WHEN email_2_sent THEN 'email_2_sent'
                                                 WHEN email_1_sent THEN 'email_1_sent' ELSE 'new' END
 WHERE id = :contact_id AND email_followup_status = :status
""")
_NUMBER = attrgetter("int")  # orders UUIDs as the database does, and faster than comparing them


@dataclass(frozen=True, slots=True)
class Changes:
    """The additions of one batch of events to a contact: flags, a conversion, a status."""

    flags: frozenset[str] = frozenset()
    converted_at: datetime | None = None
    status: str | None = None


def lock(session: Session, contact_ids: Iterable[UUID]) -> bool:
    """Lock the rows of these contacts, by id, so that no two callers deadlock; return True if one of them was erased.

    Take this lock before changing several contacts, their enrollments or their queued e-mails.
    """
    return any(session.scalars(_LOCK, {"ids": arrays.uuids(contact_ids)}).all())


def mark_sent(session: Session, step: int, contact_ids: Iterable[UUID], *, now: datetime) -> None:
    """Set the flag and the status of a step whose e-mail was sent. Locks the rows by id; safe to repeat."""
    ordered = sorted(contact_ids, key=_NUMBER)
    session.execute(_MARK_SENT[step], {"contacts": arrays.uuids(ordered), "now": now})


def add(session: Session, changes: Mapping[UUID, Changes], *, now: datetime) -> None:
    """Add changes to locked contacts and recompute their scores. One statement.

    Flags stay set, the earlier `converted_at` and the stronger of `STATUSES` stay. A contact that nothing changes is
    not written.
    """
    if not changes:
        return
    flags = {flag: [flag in change.flags for change in changes.values()] for flag in _FLAGS}
    rest = {
        "id": arrays.uuids(changes),
        "converted_at": [change.converted_at for change in changes.values()],
        "email_followup_status": [change.status for change in changes.values()],
        "statuses": list(STATUSES),
        "now": now,
    }
    session.execute(_ADD, flags | rest)


def recompute(session: Session, contact_ids: Iterable[UUID], *, now: datetime) -> int:
    """Recompute flags and scores of locked contacts from all their e-mails; return how many changed.

    `email_N_opened` is true if any of the contact's e-mails of step N was opened. One statement; safe to repeat.
    """
    ids = list(contact_ids)
    if not ids:
        return 0
    result = session.execute(_RECOMPUTE, {"ids": arrays.uuids(ids), "now": now})
    return int(result.rowcount)  # type: ignore[attr-defined]


def mark_bounced(session: Session, contact_ids: Iterable[UUID], *, now: datetime) -> None:
    """Set status `bounced` and score 0 of contacts whose address is dead, unless they converted or complained."""
    session.execute(_MARK_BOUNCED, {"ids": list(contact_ids), "now": now})


def restore_status(session: Session, contact_id: UUID, status: str = "unsubscribed") -> None:
    """Replace this status by that of the last step sent."""
    session.execute(_RESTORE_STATUS, {"contact_id": contact_id, "status": status})
