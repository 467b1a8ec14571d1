"""Figures of the pages: the funnel of each campaign, what was sent and is due by day, totals of contacts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.analytics import snapshots
from engine.analytics.snapshots import Figures
from engine.audience import segments
from engine.audience.directory import totals
from engine.audience.segments import Segment
from engine.campaigns.campaigns import View
from engine.campaigns.drafting import estimate
from engine.campaigns.reports import calendar, funnel, preflight
from engine.forms import counts
from engine.landing import visits
from errors import NotFound
from models.together import Query

OUTLOOK, CONTACTS, WORDS = "outlook", "contacts", "words"
_CALENDAR, _LAUNCH, _FORM = "calendar ", "launch ", "form "
_VISITS = "visits "
_DRAFTS_COUNTED = 20  # the newest
DAYS_BACK, DAYS_AHEAD = 30, 7
_LONG_S = 0.05

# A finished campaign changes when a late event arrives, which a page shows while it is watched. Forms and landing pages
# are counted if a list shows their figures: a few, or those that were changed last.
_CHANGING = text("""
SELECT 'campaign ' || c.id FROM campaigns c LEFT JOIN snapshots s ON s.name = 'campaign ' || c.id
 WHERE c.state IN ('running', 'paused') OR c.stop_after IS NOT NULL
    OR (c.state IN ('finished', 'cancelled') AND (s.name IS NULL OR s.taken_at < c.finished_at))
UNION ALL (SELECT 'form ' || id FROM forms ORDER BY updated_at DESC LIMIT 100)
UNION ALL (SELECT 'visits ' || id FROM pages WHERE published IS NOT NULL ORDER BY published_at DESC LIMIT 100)
""")
_DRAFTS = text("SELECT id, version FROM campaigns WHERE state = 'draft' ORDER BY created_at DESC LIMIT :most")


def name_of(campaign_id: UUID) -> str:
    """Return the name of a campaign's figures."""
    return f"campaign {campaign_id}"


def name_of_month(month: date) -> str:
    """Return the name of the figures of the calendar of a month, given by its first day."""
    return f"{_CALENDAR}{month:%Y-%m}"


def name_of_form(form_id: UUID) -> str:
    """Return the name of a form's figures."""
    return f"{_FORM}{form_id}"


def of(session: Session, name: str, *, now: datetime, stored: Mapping[str, Figures] | None = None) -> Figures:
    """Return figures for a page, and note that they are watched; counts them at once if there are none yet.

    `stored` is the result of `snapshots.read` or of its query, if the caller has it.
    """
    stored = snapshots.read(session, name) if stored is None else stored
    if name not in stored:
        refresh(session, name, now=now)
        stored = snapshots.read(session, name)
    if not stored[name].is_noted:
        snapshots.want(session, name)
    return stored[name]


def contacts(session: Session, *, now: datetime) -> Figures:
    """Return the totals of contacts and suppressions: as they are now; of a large table as they were counted last."""
    if estimate.is_sampled(session):
        return of(session, CONTACTS, now=now)
    return Figures(totals.count(session), now, took_s=0, is_noted=True)


def stored(session: Session, campaign_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return the totals of campaigns that were counted: contacts, sent, opened, clicked, converted."""
    names = {name_of(campaign_id): campaign_id for campaign_id in campaign_ids}
    totals = {}
    for name, counted in snapshots.read(session, *names).items():
        steps = counted.value["steps"]
        totals[names[name]] = {"enrolled": counted.value["enrolled"]} | {
            key: sum(step[key] for step in steps) for key in ("sent", "opened", "clicked", "converted")
        }
    return totals


@dataclass(frozen=True, slots=True)
class Basis:
    """Figures from which the form of a draft estimates: those stored, and True if the table of contacts is large."""

    stored: Mapping[str, Figures]
    is_sampled: bool


def basis_queries() -> tuple[Query[dict[str, Figures]], Query[bool]]:
    """Return the queries of the parts of a `Basis`."""
    return snapshots.query(WORDS, CONTACTS), estimate.sampled_query()


def words(session: Session, basis: Basis, *, now: datetime) -> Mapping[str, Any]:
    """Return the words that the fields suggest, as `estimate.words` does."""
    return of(session, WORDS, now=now, stored=basis.stored).value


def audience(session: Session, segment: Segment, basis: Basis, *, now: datetime) -> estimate.Size:
    """Return the number of contacts of a segment; for all contacts of a large table, the number counted last."""
    if segment == segments.EVERYBODY and basis.is_sampled:
        counted = of(session, CONTACTS, now=now, stored=basis.stored)
        return estimate.Size(counted.value["listed"], is_exact=True)
    return estimate.size(session, segment)


def of_forms(session: Session, form_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return the submissions of forms that were counted, and those that were confirmed."""
    names = {name_of_form(form_id): form_id for form_id in form_ids}
    read = snapshots.read(session, *names, part="states")
    states = {names[name]: counted.value for name, counted in read.items()}
    return {
        form_id: {"submitted": sum(each.values()), "confirmed": each["confirmed"]} for form_id, each in states.items()
    }


def submissions(session: Session, form_ids: Sequence[UUID]) -> dict[UUID, Mapping[str, int]]:
    """Return the number of submissions of each form by state: as it is now, or as stored if counting takes long."""
    names = {name_of_form(form_id): form_id for form_id in form_ids}
    read = snapshots.read(session, *names, part="states")
    long = {names[name]: counted.value for name, counted in read.items() if counted.took_s > _LONG_S}
    return long | {form_id: counts.states(session, form_id) for form_id in form_ids if form_id not in long}


def visits_of(session: Session, page_id: UUID, *, now: datetime) -> tuple[Mapping[str, Any], datetime | None]:
    """Return the visits of a landing page as `visits.count` does: as they are now, or, if counting takes long, stored.

    Stored ones come with their moment.
    """
    name = f"{_VISITS}{page_id}"
    stored = snapshots.read(session, name).get(name)
    if stored is None or stored.took_s <= _LONG_S:
        return visits.count(session, page_id, now=now), None
    if not stored.is_noted:
        snapshots.want(session, name)
    return stored.value, stored.taken_at


def totals_of_visits(session: Session, page_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, visits.Counts]:
    """Return the visits of landing pages in the last 30 days; stored ones of a page for which counting takes long."""
    names = {f"{_VISITS}{page_id}": page_id for page_id in page_ids}
    read = snapshots.read(session, *names, part="days")
    long = {names[name]: counted.value for name, counted in read.items() if counted.took_s > _LONG_S}
    others = [page_id for page_id in page_ids if page_id not in long]
    sums = {page_id: visits.Counts(*map(sum, zip(*days.values(), strict=True))) for page_id, days in long.items()}
    return sums | visits.totals(session, others, since=visits.day_before(now, visits.DAYS - 1))


def launch_report(session: Session, draft: View, *, now: datetime) -> preflight.Preflight | None:
    """Return the effect of launching a draft now; None while workers count the contacts of a large table.

    The numbers of a large table may be older than the first date.
    """
    if not estimate.is_sampled(session):
        return preflight.of(session, draft.id, now=now)
    name = _name_of_launch(draft.id, draft.version)
    counted = snapshots.read(session, name)
    snapshots.want(session, name)
    return preflight.at(session, draft.id, counted[name].value, now=now) if name in counted else None


def _name_of_launch(campaign_id: UUID, version: int) -> str:
    return f"{_LAUNCH}{campaign_id} v{version}"


def overdue(session: Session, *, now: datetime) -> list[str]:
    """Return the names of the figures to count now, those that are watched first."""
    month = now.date().replace(day=1)
    months = {name_of_month(month), name_of_month(calendar.following(month))}
    drafts = []
    if estimate.is_sampled(session):
        drafts = [_name_of_launch(*row) for row in session.execute(_DRAFTS, {"most": _DRAFTS_COUNTED})]
    changing = session.scalars(_CHANGING)
    return snapshots.overdue(session, sorted({OUTLOOK, CONTACTS, *months, *drafts, *changing}))


def refresh(session: Session, name: str, *, now: datetime) -> None:
    """Count the figures of this name and store them. Safe to run twice at once."""
    began = monotonic()
    value: Mapping[str, Any]
    if name == OUTLOOK:
        value = _outlook(session, now)
    elif name == CONTACTS:
        value = totals.count(session)
    elif name == WORDS:
        value = estimate.words(session)
    elif name.startswith(_LAUNCH):
        value = _launch(session, UUID(name.split()[1]), now)
    elif name.startswith(_FORM):
        value = counts.count(session, UUID(name.removeprefix(_FORM)), now=now)
    elif name.startswith(_VISITS):
        value = visits.count(session, UUID(name.removeprefix(_VISITS)), now=now)
    elif name.startswith(_CALENDAR):
        month = date.fromisoformat(f"{name.removeprefix(_CALENDAR)}-01")
        value = calendar.count(session, month, now=now)
    else:
        value = asdict(funnel.of(session, UUID(name.removeprefix("campaign "))))
    snapshots.store(session, name, value, took_s=monotonic() - began)


def _launch(session: Session, campaign_id: UUID, now: datetime) -> Mapping[str, Any]:
    try:
        report = preflight.of(session, campaign_id, now=now)
    except NotFound:  # deleted meanwhile
        return {}
    return {"enrolled": report.enrolled, "left_out": report.left_out, "received": report.received}


def _outlook(session: Session, now: datetime) -> Mapping[str, Any]:
    """Return counts by day, each day in the time zone of its campaign: sent and converted, due by step."""
    days: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in calendar.sent(session, now - timedelta(days=DAYS_BACK), now + timedelta(days=DAYS_AHEAD)):
        of_day = days[str(row.day)]
        of_day["sent"] = of_day.get("sent", 0) + int(row.number)
        of_day["converted"] = of_day.get("converted", 0) + int(row.converted)
    for row in calendar.due(session, now + timedelta(days=DAYS_AHEAD), now=now):
        days[str(row.day)].setdefault("due", Counter())[str(row.step)] += row.number
    return {"days": days}
