"""Explanations of a contact's state in each campaign: its e-mails, and the reason why it waits or stopped."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import emails, transitions
from engine.templates import host_faults

_ENDS = {
    "converted": "the contact converted",
    "replied": "the contact answered",
    "unsubscribed": "the contact unsubscribed",
    "bounced": "the address does not exist",
    "complained": "the contact complained about an e-mail",
    "suppressed": "the address was suppressed by hand",
    "erased": "its data was erased",
    "received": "it had received an e-mail of this campaign before",
}


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One e-mail of the sequence."""

    step: int
    email_id: UUID
    template: str
    status: str
    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    converted_at: datetime | None
    machine_opened_at: datetime | None
    machine_clicked_at: datetime | None
    reason: str | None
    relay: str | None


@dataclass(frozen=True, slots=True)
class Journey:
    """A contact in one campaign; `sentence` states its progress and the reason."""

    campaign_id: UUID
    campaign: str
    state: str
    stop_reason: str | None
    stopped_at: datetime | None
    next_step: int
    next_at: datetime | None
    sentence: str
    steps: tuple[StepTaken, ...]


_WHY = text("""
    SELECT enrollments.id, enrollments.campaign_id, campaigns.name, campaigns.state AS campaign_state,
           campaigns.reason AS campaign_reason, enrollments.state, enrollments.stop_reason, enrollments.stopped_at,
           enrollments.next_step, enrollments.next_at, emails.id AS email_id, emails.step, emails.template,
           emails.status, emails.sent_at, emails.opened_at, emails.clicked_at, emails.converted_at,
           emails.machine_opened_at, emails.machine_clicked_at, emails.reason, emails.relay,
           emails.due_at, emails.attempts, emails.response, CASE WHEN enrollments.state = 'active' THEN (
               SELECT recent.reason FROM (
                   SELECT id, reason, members FROM send_groups
                    WHERE reason IS NOT NULL AND send_groups.campaign_id = enrollments.campaign_id
                      AND step = enrollments.next_step ORDER BY id DESC LIMIT 100) AS recent
                WHERE enrollments.id = ANY(recent.members) ORDER BY recent.id DESC LIMIT 1) END AS untried,
           (SELECT string_agg(f.host || ': ' || f.reason, '; ' ORDER BY f.host)
              FROM campaign_steps s JOIN template_faults f ON f.template = s.template
             WHERE s.campaign_id = enrollments.campaign_id AND s.step = enrollments.next_step
               AND f.retry_at > now() - CAST(:faults_for AS interval)) AS template_fault,
           CASE WHEN contacts.paused_until > :now THEN contacts.paused_until END AS paused_until, EXISTS (
               SELECT 1 FROM send_groups WHERE send_groups.state = 'open' AND step = enrollments.next_step
                  AND send_groups.campaign_id = enrollments.campaign_id AND enrollments.id = ANY(members)) AS is_claimed
      FROM enrollments JOIN campaigns ON campaigns.id = enrollments.campaign_id
      JOIN contacts ON contacts.id = enrollments.contact_id
      LEFT JOIN emails ON emails.contact_id = enrollments.contact_id AND emails.enrollment_id = enrollments.id
     WHERE enrollments.contact_id = :contact_id
     ORDER BY enrollments.created_at, enrollments.id, emails.step
""")


def why(session: Session, contact_id: UUID, *, now: datetime) -> list[Journey]:
    """Return the contact's journeys as of `now`, one for each of its campaigns, oldest first."""
    rows = session.execute(_WHY, {"contact_id": contact_id, "now": now, "faults_for": host_faults.CURRENT_FOR})
    return [_journey(list(mails)) for _, mails in groupby(rows, key=lambda row: row.id)]


def _journey(rows: Sequence[Row[Any]]) -> Journey:
    first, mails = rows[0], [row for row in rows if row.email_id is not None]
    return Journey(
        campaign_id=first.campaign_id,
        campaign=first.name,
        state=first.state,
        stop_reason=first.stop_reason,
        stopped_at=first.stopped_at,
        next_step=first.next_step,
        next_at=first.next_at,
        sentence=_sentence(first, mails),
        steps=tuple(_taken(mails)),
    )


def _taken(mails: Iterable[Row[Any]]) -> Iterator[StepTaken]:
    for mail in mails:
        yield StepTaken(**{name: mail._mapping[name] for name in StepTaken.__dataclass_fields__})


def _sentence(row: Row[Any], mails: Sequence[Row[Any]]) -> str:
    """Return the progress and the reason in one English sentence."""
    so_far = _so_far(mails)
    if row.state == "stopped":
        return f"{so_far}; stopped on {_date(row.stopped_at)} because {_ENDS.get(row.stop_reason, row.stop_reason)}."
    if row.state == "finished":
        return f"{so_far}; the sequence is complete."
    if row.campaign_state in ("draft", "paused") and not row.is_claimed:
        because = f" ({row.campaign_reason})" if row.campaign_reason else ""
        return f"{so_far}; step {row.next_step} waits because the campaign is {row.campaign_state}{because}."
    if row.paused_until is not None and not row.is_claimed:
        asked = f"because the contact asked for a pause until {_date(row.paused_until)}"
        return f"{so_far}; step {row.next_step} waits {asked}."
    if row.state == "active" and not row.is_claimed:
        untried = _unusable(row) or (f"; it was not tried before: {row.untried}" if row.untried else "")
        return f"{so_far}; step {row.next_step} is due on {_date(row.next_at)}{untried}."
    if row.state == "waiting" and mails:
        return f"{so_far}; {_on_its_way(mails[-1])}{_unusable(row)}."
    return f"{so_far}; step {row.next_step} is on its way."


def _so_far(mails: Sequence[Row[Any]]) -> str:
    sent = sum(mail.sent_at is not None for mail in mails)
    return {0: "No e-mail was sent", 1: "1 e-mail was sent"}.get(sent, f"{sent} e-mails were sent")


def _on_its_way(mail: Row[Any]) -> str:
    if mail.status == "in_doubt":
        return f"it is in doubt whether the mail server took step {mail.step}"
    if mail.status == "queued" and mail.attempts and mail.due_at < emails.PARKED:
        return f"step {mail.step} was deferred by the mail server and is tried again on {_date(mail.due_at)}"
    if mail.status == "queued" and mail.reason == transitions.UNTRIED and mail.due_at < emails.PARKED:
        return f"step {mail.step} was not tried ({mail.response}) and is due on {_date(mail.due_at)}"
    return f"step {mail.step} is on its way"


def _unusable(row: Row[Any]) -> str:
    return f", but its template cannot be used on {row.template_fault}" if row.template_fault else ""


def _date(moment: datetime | None) -> str:
    return "a date not set yet" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
