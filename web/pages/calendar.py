"""The calendar: e-mails sent and due by day and step, a month at a time, and the campaigns of a day."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import format_date

from engine import clock, figures
from engine.campaigns import campaigns
from engine.campaigns.reports import calendar
from web import pages
from web.pages.frame import charts, layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("calendar")
ENTRY = layout.Entry("calendar_pages.show", lazy_gettext("Calendar"))

_MONTHS_BACK = 24


@views.get("/calendar")
@pages.needs("reports", "campaigns")
def show() -> Response:
    """Show a month, and the campaigns of the chosen day."""
    now = clock.now()
    present = now.date().replace(day=1)
    first, last = _earlier(present, _MONTHS_BACK), calendar.following(present)
    month = min(max(_date(request.args.get("month", "") + "-01") or present, first), last)
    chosen = _date(request.args.get("day", ""))
    with sessions.reading() as session:
        counted = figures.of(session, figures.name_of_month(month), now=now)
        days = counted.value["days"]
        of_day = days.get(str(chosen), {}).get("campaigns", {})
        names = campaigns.names(session, map(UUID, of_day))
    return layout.page(
        "calendar",
        title=format_date(month, "MMMM y"),
        days=days,
        weeks=charts.month(month, _totals(days, "sent"), _totals(days, "due")),
        before=_earlier(month, 1) if month > first else None,
        after=calendar.following(month) if month < last else None,
        month=month,
        chosen=chosen if chosen and chosen.replace(day=1) == month else None,
        campaigns=[(names.get(UUID(each)), UUID(each), numbers) for each, numbers in of_day.items()],
        taken_at=counted.taken_at,
        today=now.date(),
        written=_written,
    )


def _totals(days: Mapping[str, Any], kind: str) -> dict[date, int]:
    return {date.fromisoformat(day): sum(of_day.get(kind, {}).values()) for day, of_day in days.items()}


def _written(day: date) -> str:
    written: str = format_date(day, "EEEE d MMMM")
    return written


def _earlier(month: date, months: int) -> date:
    for _ in range(months):
        month = (month - timedelta(days=1)).replace(day=1)
    return month


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
