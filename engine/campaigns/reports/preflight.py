"""The preview of a launch: the contacts who get e-mails, those who are left out and why, and the first e-mail."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from engine.audience import segments
from engine.campaigns import campaigns, enrollments, steps
from models import Contact, Email, Enrollment, Suppression

_IN_WORDS = {
    "converted": "converted",
    "unsubscribed": "unsubscribed",
    "bounced": "have a dead address",
    "complained": "complained",
    "suppressed": "are suppressed by hand",
    "received": "received one of its templates before",
}


@dataclass(frozen=True, slots=True)
class Preflight:
    """The effect of a launch at `now`.

    `enrolled` contacts include those `left_out`, by stop reason. `received` counts the others who got a template of the
    campaign before, by template. `first_email_at` is None if nobody gets an e-mail. `forms` are the slugs of those
    whose sign-ups enter after the launch.
    """

    enrolled: int
    left_out: Mapping[str, int]
    received: Mapping[str, int]
    first_email_at: datetime | None
    timezone: str
    now: datetime
    forms: Sequence[str] = ()

    @property
    def mailed(self) -> int:
        """The number of contacts who get e-mails."""
        return self.enrolled - sum(self.left_out.values())

    @property
    def is_waiting(self) -> bool:
        """True if the first e-mail is not due at once."""
        return self.first_email_at is not None and self.first_email_at > self.now


def of(
    session: Session, campaign_id: UUID, *, now: datetime, starts_now: bool = False, skips_received: bool = False
) -> Preflight:
    """Return the effect of launching this draft at `now`, with these options of `campaigns.launch`. Changes nothing.

    Counts the whole audience, also of one that is enrolled in pages. Raises NotFound.
    """
    view = campaigns.view(session, campaign_id)
    plan = steps.of(session, campaign_id)
    templates = [step.template for step in plan]
    people = list(_people(session, campaign_id, view, templates if skips_received else ()))
    counts: Counter[str | None] = Counter()
    for query in people:
        for reason, count in session.execute(_by_obstacle(query)):
            counts[reason] += count
    enrolled, left_out = counts.total(), {reason: count for reason, count in counts.most_common() if reason}
    first = replace(plan[0], opened_until=now + campaigns.OPENED_FOR) if starts_now else plan[0]
    return Preflight(
        enrolled=enrolled,
        left_out=left_out,
        received={} if skips_received else _received(session, people, templates),
        first_email_at=first.due_after(now) if enrolled > sum(left_out.values()) else None,
        timezone=view.timezone,
        now=now,
        forms=enrollments.forms(session, campaign_id),
    )


def at(session: Session, campaign_id: UUID, counted: Mapping[str, Any], *, now: datetime) -> Preflight:
    """Return the report with numbers counted before, and the first date of a launch at `now`."""
    first = steps.of(session, campaign_id)[0]
    forms = enrollments.forms(session, campaign_id)
    report = Preflight(**counted, first_email_at=first.due_after(now), timezone=first.timezone, now=now, forms=forms)
    return report if report.mailed else replace(report, first_email_at=None)


_People: TypeAlias = Select[UUID, str | None]


def _people(session: Session, campaign_id: UUID, view: campaigns.View, skipped: Sequence[str]) -> Iterator[_People]:
    """Yield queries of contact and obstacle: of those enrolled, and of those whom the launch enrolls."""
    obstacle = enrollments.obstacle(skipped)
    joined = Suppression.email_index == Contact.email_index
    is_enrolled = Enrollment.campaign_id == campaign_id
    has_enrolled = enrollments.any_of(session, campaign_id)
    if has_enrolled:
        reason = func.coalesce(Enrollment.stop_reason, obstacle).label("obstacle")
        query: _People = select(Contact.id, reason).join(Enrollment, Enrollment.contact_id == Contact.id)
        yield query.outerjoin(Suppression, joined).where(is_enrolled)
    if view.enrolling or not enrollments.are_chosen(session, campaign_id):
        audience = segments.conditions(segments.read(view.audience))
        query = select(Contact.id, obstacle.label("obstacle")).outerjoin(Suppression, joined).where(*audience)
        if has_enrolled:
            query = query.where(~select(Enrollment.id).where(is_enrolled, Enrollment.contact_id == Contact.id).exists())
        yield query


def _by_obstacle(people: _People) -> Select[str | None, int]:
    person = people.subquery().c
    return select(person.obstacle, func.count()).group_by(person.obstacle)


def _received(session: Session, people: Sequence[_People], templates: Sequence[str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for query in people:
        person = query.subquery()
        got = select(Email.template, func.count(Email.contact_id.distinct())).group_by(Email.template)
        got = got.join(person, person.c.id == Email.contact_id).where(person.c.obstacle.is_(None))
        for template, count in session.execute(got.where(Email.template.in_(templates), enrollments.IS_RECEIVED)):
            counts[template] += count
    return dict(sorted(counts.items()))


def sentences(report: Preflight) -> list[str]:
    """Return the facts and the warnings of a report."""
    return [*facts(report), *warnings(report)]


def facts(report: Preflight) -> list[str]:
    """Return the report in English, one fact a sentence."""
    sentences = [f"{_contacts(report.enrolled)} enrolled; {report.mailed} get e-mails."]
    if report.left_out:
        reasons = ", ".join(f"{count} {_IN_WORDS.get(reason, reason)}" for reason, count in report.left_out.items())
        sentences.append(f"{sum(report.left_out.values())} left out: {reasons}.")
    if report.first_email_at is not None:
        sentences.append(f"The first e-mail goes out {in_words(report.first_email_at, report.now, report.timezone)}.")
    if report.forms:
        sentences.append(f"Those who confirm the form {' or '.join(report.forms)} enter from then on.")
    return sentences


def warnings(report: Preflight) -> list[str]:
    """Return a sentence for each template of the campaign that contacts got before."""
    return [f"{_contacts(count)} already received {template}." for template, count in report.received.items()]


def _contacts(count: int) -> str:
    return "1 contact" if count == 1 else f"{count} contacts"


def in_words(moment: datetime, now: datetime, zone: str) -> str:
    """Return a moment as a person says it: "now", "tomorrow at 09:00 Europe/Madrid"."""
    if moment <= now:
        return "now"
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    days = (local.date() - today).days
    day = {0: "today", 1: "tomorrow"}.get(days, f"on {local:%A} {local.day} {local:%B}")
    return f"{day} at {local:%H:%M} {zone}"
