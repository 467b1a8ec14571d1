"""Marks: what events leave on e-mails and contacts: functions of the set of events, whatever their order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts
from engine.scoring import rules
from models import arrays

# Events with a moment of their own on the e-mail: `opened_at` and so on.
KINDS = ("opened", "clicked", "converted", "replied", "unsubscribed", "bounced", "complained",
         "machine_opened", "machine_clicked")  # fmt: skip
# `email_followup_status`: the later word stays. What ends a contact's sequences outranks how far they came.
STATUSES = ("new", "email_1_sent", "email_2_sent", "email_3_sent",
            "replied", "unsubscribed", "bounced", "converted", "complained")  # fmt: skip

_MOMENTS = [f"{kind}_at" for kind in KINDS]

# Mails before contacts, both in the order of their ids: whoever settles mails locks in this order, too.
_LOCK_MAILS = text(f"""
SELECT id, contact_id, campaign_id, step, variant, status, sent_at, accepted_at, {", ".join(_MOMENTS)}
FROM emails WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")  # noqa: S608  # built from the names above alone
_LOCK_FREE = text(f"""
SELECT e.id, e.contact_id, e.campaign_id, e.step, e.variant, e.status, e.sent_at, e.accepted_at,
       {", ".join(f"e.{moment}" for moment in _MOMENTS)}
FROM emails e JOIN contacts c ON c.id = e.contact_id
WHERE e.id = ANY(CAST(:ids AS uuid[])) ORDER BY e.id FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608  # built from the names above alone

_MARK_MAILS = text(f"""
UPDATE emails SET status = new.status, {", ".join(f"{moment} = new.{moment}" for moment in _MOMENTS)}
FROM unnest(CAST(:id AS uuid[]), CAST(:status AS text[]),
            {", ".join(f"CAST(:{moment} AS timestamptz[])" for moment in _MOMENTS)})
     AS new (id, status, {", ".join(_MOMENTS)})
WHERE emails.id = new.id
""")  # noqa: S608  # built from the names above alone

_FLAGS = [f"email_{step}_{what}" for step in rules.STEPS for what in ("opened", "clicked")]
_STATE = [*_FLAGS, "converted", "converted_at", "email_followup_status"]
_RANK = "array_position(CAST(:statuses AS text[]), CAST({}.email_followup_status AS text))"
_MARK_CONTACTS = text(f"""
UPDATE contacts AS was
SET {", ".join(f"{column} = new.{column}" for column in _STATE)}, score = {rules.sql("new")}, updated_at = :now
FROM (
    SELECT held.id, {", ".join(f"held.{flag} OR came.{flag} AS {flag}" for flag in _FLAGS)},
           held.converted OR came.converted_at IS NOT NULL AS converted,
           least(held.converted_at, came.converted_at) AS converted_at,
           CASE WHEN {_RANK.format("came")} > {_RANK.format("held")}
                THEN came.email_followup_status ELSE held.email_followup_status END AS email_followup_status
    FROM unnest(CAST(:id AS uuid[]), {", ".join(f"CAST(:{flag} AS boolean[])" for flag in _FLAGS)},
                CAST(:converted_at AS timestamptz[]), CAST(:email_followup_status AS text[]))
         AS came (id, {", ".join(_FLAGS)}, converted_at, email_followup_status)
    JOIN contacts AS held ON held.id = came.id
) AS new
WHERE was.id = new.id AND ({", ".join(f"was.{column}" for column in _STATE)})
                          IS DISTINCT FROM ({", ".join(f"new.{column}" for column in _STATE)})
""")  # noqa: S608  # built from the names above alone

_REFLAG = text(f"""
UPDATE contacts AS was
SET {", ".join(f"{flag} = new.{flag}" for flag in _FLAGS)}, score = {rules.sql("new")}, updated_at = :now
FROM (
    SELECT held.id, held.converted, held.email_followup_status, {
    ", ".join(
        f"coalesce(bool_or(m.{what}_at IS NOT NULL) FILTER (WHERE m.step = {step}), false) AS email_{step}_{what}"
        for step in rules.STEPS
        for what in ("opened", "clicked")
    )
}
    FROM contacts AS held LEFT JOIN emails m ON m.contact_id = held.id
    WHERE held.id = ANY(CAST(:ids AS uuid[])) GROUP BY held.id
) AS new
WHERE was.id = new.id AND ({", ".join(f"was.{flag}" for flag in _FLAGS)}, was.score)
                          IS DISTINCT FROM ({", ".join(f"new.{flag}" for flag in _FLAGS)}, {rules.sql("new")})
""")  # noqa: S608  # built from the names above alone


class Mail(NamedTuple):
    """An e-mail as its row says, locked; `moments` has the earliest event of each kind that came."""

    id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    step: int | None
    variant: str | None
    status: str
    sent_at: datetime | None
    accepted_at: datetime
    moments: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Deeds:
    """What one contact did, or what befell it, by the events of one batch."""

    flags: frozenset[str] = frozenset()
    converted_at: datetime | None = None
    status: str | None = None


def lock(session: Session, email_ids: Iterable[UUID]) -> list[Mail]:
    """These e-mails, their rows and those of their contacts locked for the rest of the transaction."""
    mails = [_mail(row) for row in session.execute(_LOCK_MAILS, {"ids": arrays.uuids(email_ids)}).all()]
    contacts.lock(session, {mail.contact_id for mail in mails})
    return mails


def lock_free(session: Session, email_ids: Iterable[UUID]) -> list[Mail]:
    """Those of these e-mails whose rows and contacts nobody else has locked, locked as by `lock`; waits for nobody.

    So it may be called by those who hold locks already, in whatever order.
    """
    return [_mail(row) for row in session.execute(_LOCK_FREE, {"ids": arrays.uuids(email_ids)})]


def mark_mails(session: Session, mails: Sequence[Mail]) -> None:
    """Write the status and the moments of locked e-mails; one statement."""
    if not mails:
        return
    moments = {f"{kind}_at": arrays.moments(mail.moments.get(kind) for mail in mails) for kind in KINDS}
    fixed = {"id": arrays.uuids(mail.id for mail in mails), "status": arrays.words(mail.status for mail in mails)}
    session.execute(_MARK_MAILS, fixed | moments)


def mark_contacts(session: Session, deeds: Mapping[UUID, Deeds], *, now: datetime) -> None:
    """Add deeds to what locked contacts have done, and score them anew; one statement.

    Flags stay set, `converted_at` becomes the earlier one, the status the later of `STATUSES`. A contact whose deeds
    say nothing new is not written.
    """
    if not deeds:
        return
    flags = {flag: [flag in deed.flags for deed in deeds.values()] for flag in _FLAGS}
    rest = {
        "id": arrays.uuids(deeds),
        "converted_at": [deed.converted_at for deed in deeds.values()],
        "email_followup_status": [deed.status for deed in deeds.values()],
        "statuses": list(STATUSES),
        "now": now,
    }
    session.execute(_MARK_CONTACTS, flags | rest)


def reflag(session: Session, contact_ids: Iterable[UUID], *, now: datetime) -> int:
    """Set the flags of locked contacts to what all their mails say, and score them anew; how many it changed.

    Flag `email_N_opened` is whether any of the contact's mails of step N was opened. One statement; safe to repeat.
    """
    known = list(contact_ids)
    if not known:
        return 0
    return int(session.execute(_REFLAG, {"ids": arrays.uuids(known), "now": now}).rowcount)  # type: ignore[attr-defined]


def _mail(row: Sequence[Any]) -> Mail:
    email_id, contact_id, campaign_id, step, variant, status, sent_at, accepted_at, *moments = row
    came = {kind: moment for kind, moment in zip(KINDS, moments, strict=True) if moment is not None}
    return Mail(email_id, contact_id, campaign_id, step, variant, status, sent_at, accepted_at, came)
