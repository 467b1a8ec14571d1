"""Explanations of a contact's state in each campaign: its e-mails, and the reason why it waits or stopped."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import emails, transitions
from engine.templates import host_faults
from models import ids

_ENDS = {
    "converted": "the contact converted",
    "replied": "the contact answered",
    "unsubscribed": "the contact unsubscribed",
    "bounced": "the address does not exist",
    "complained": "the contact complained about an e-mail",
    "suppressed": "the address was suppressed by hand",
    "erased": "its data was erased",
    "cancelled": "the campaign was cancelled",
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
class Situation:
    """The facts of a contact's state in one campaign; `sentence` words them in English, pages in their languages.

    `code` is stopped, finished, draft or paused (of the campaign), contact_paused, due, in_doubt, deferred, untried or
    on_its_way; `sent` counts the e-mails that were sent; `step` is the step concerned, which stopped and finished lack.
    `at` and `reason` belong to the code: when it stopped and why, when the step is due and why it was not tried before.
    `fault` says why its template cannot be used.
    """

    code: str
    sent: int
    step: int
    at: datetime | None = None
    reason: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Journey:
    """A contact in one campaign; `sentence` states its progress and the reason, and `situation` the facts behind it."""

    campaign_id: UUID
    campaign: str
    state: str
    stop_reason: str | None
    stopped_at: datetime | None
    next_step: int
    next_at: datetime | None
    sentence: str
    situation: Situation
    steps: tuple[StepTaken, ...]


_WHY = text(f"""
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
              FROM campaign_steps s JOIN template_faults f ON f.template = concat(s.template, '@' || s.template_version)
             WHERE s.campaign_id = enrollments.campaign_id AND s.step = enrollments.next_step
               AND f.retry_at > now() - CAST(:faults_for AS interval)) AS template_fault,
           CASE WHEN contacts.paused_until > :now THEN contacts.paused_until END AS paused_until, EXISTS (
               SELECT 1 FROM send_groups WHERE send_groups.state = 'open' AND step = enrollments.next_step
                  AND send_groups.campaign_id = enrollments.campaign_id AND enrollments.id = ANY(members)) AS is_claimed
      FROM enrollments JOIN campaigns ON campaigns.id = enrollments.campaign_id
      JOIN contacts ON contacts.id = enrollments.contact_id
      LEFT JOIN emails ON emails.contact_id = enrollments.contact_id AND emails.enrollment_id = enrollments.id
                      AND emails.id BETWEEN enrollments.id AND {ids.last_step_sql("enrollments.id")}
     WHERE enrollments.contact_id = :contact_id
     ORDER BY enrollments.created_at, enrollments.id, emails.step
""")  # noqa: S608  # constants only


def why(session: Session, contact_id: UUID, *, now: datetime) -> list[Journey]:
    """Return the contact's journeys as of `now`, one for each of its campaigns, oldest first."""
    rows = session.execute(_WHY, {"contact_id": contact_id, "now": now, "faults_for": host_faults.CURRENT_FOR})
    return [_journey(list(mails)) for _, mails in groupby(rows, key=lambda row: row.id)]


def _journey(rows: Sequence[Row[Any]]) -> Journey:
    first, mails = rows[0], [row for row in rows if row.email_id is not None]
    situation = _situation(first, mails)
    return Journey(
        campaign_id=first.campaign_id,
        campaign=first.name,
        state=first.state,
        stop_reason=first.stop_reason,
        stopped_at=first.stopped_at,
        next_step=first.next_step,
        next_at=first.next_at,
        sentence=sentence(situation),
        situation=situation,
        steps=tuple(_taken(mails)),
    )


def _taken(mails: Iterable[Row[Any]]) -> Iterator[StepTaken]:
    for mail in mails:
        yield StepTaken(**{name: mail._mapping[name] for name in StepTaken.__dataclass_fields__})


def _situation(row: Row[Any], mails: Sequence[Row[Any]]) -> Situation:
    """Decide what the contact's state is, and why."""
    of = partial(Situation, sent=sum(mail.sent_at is not None for mail in mails), step=row.next_step)
    if row.state == "stopped":
        return of("stopped", at=row.stopped_at, reason=row.stop_reason)
    if row.state == "finished":
        return of("finished")
    if row.is_claimed:
        return of("on_its_way")
    if row.campaign_state in ("draft", "paused"):
        return of(row.campaign_state, reason=row.campaign_reason or "")
    if row.paused_until is not None:
        return of("contact_paused", at=row.paused_until)
    if row.state == "active":
        return of("due", at=row.next_at, reason=row.untried or "", fault=row.template_fault or "")
    return _undecided(of, mails[-1], row.template_fault or "") if mails else of("on_its_way")


def _undecided(of: Callable[..., Situation], mail: Row[Any], fault: str) -> Situation:
    """Return the situation of a contact whose next step follows only when this e-mail is decided."""
    of = partial(of, step=mail.step, fault=fault)
    if mail.status == "in_doubt":
        return of("in_doubt")
    if mail.status == "queued" and mail.attempts and mail.due_at < emails.PARKED:
        return of("deferred", at=mail.due_at)
    if mail.status == "queued" and mail.reason == transitions.UNTRIED and mail.due_at < emails.PARKED:
        return of("untried", at=mail.due_at, reason=mail.response or "")
    return of("on_its_way")


def sentence(situation: Situation) -> str:
    """Return the progress and the reason in one English sentence."""
    sent = situation.sent
    so_far = {0: "No e-mail was sent", 1: "1 e-mail was sent"}.get(sent, f"{sent} e-mails were sent")
    return f"{so_far}; {_SENTENCES[situation.code](situation)}."


def _stopped(of: Situation) -> str:
    return f"stopped on {_date(of.at)} because {_ENDS.get(of.reason, of.reason)}"


def _halted(of: Situation) -> str:
    because = f" ({of.reason})" if of.reason else ""
    return f"step {of.step} waits because the campaign is {of.code}{because}"


def _due(of: Situation) -> str:
    untried = _unusable(of) or (f"; it was not tried before: {of.reason}" if of.reason else "")
    return f"step {of.step} is due on {_date(of.at)}{untried}"


def _unusable(of: Situation) -> str:
    return f", but its template cannot be used on {of.fault}" if of.fault else ""


def _date(moment: datetime | None) -> str:
    return "a date not set yet" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


_SENTENCES: Mapping[str, Callable[[Situation], str]] = {
    "stopped": _stopped,
    "finished": lambda _: "the sequence is complete",
    "draft": _halted,
    "paused": _halted,
    "contact_paused": lambda of: f"step {of.step} waits because e-mails to the contact are paused until {_date(of.at)}",
    "due": _due,
    "in_doubt": lambda of: f"it is in doubt whether the mail server took step {of.step}{_unusable(of)}",
    "deferred": lambda of: (
        f"step {of.step} was deferred by the mail server and is tried again on {_date(of.at)}{_unusable(of)}"
    ),
    "untried": lambda of: f"step {of.step} was not tried ({of.reason}) and is due on {_date(of.at)}{_unusable(of)}",
    "on_its_way": lambda of: f"step {of.step} is on its way{_unusable(of)}",
}
CODES = tuple(_SENTENCES)
