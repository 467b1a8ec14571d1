"""The overview: the e-mails of today and this week, subjects that need attention, and results."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask import Response

from engine import attention, clock, figures
from engine.analytics import snapshots
from engine.campaigns import campaigns
from models import together
from web import pages, process
from web.pages.frame import languages, layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("overview")
ENTRY = layout.Entry("overview_pages.show", lazy_gettext("Overview"))

_SHOWN = 8  # campaigns


@views.get("/")
@pages.needs("reports", "campaigns")
def show() -> Response:
    """Show the overview."""
    return layout.page("overview", **_content())


@views.get("/overview/figures")
@pages.needs("reports", "campaigns")
def part() -> Response:
    """Return the part that is fetched again while the page is open."""
    return layout.followed("overview_figures", _content)


def _content() -> dict[str, Any]:
    now, rate = clock.now(), process.current().settings.clock_rate
    with sessions.reading() as session:
        stored, *of_attention, newest = together.all_of(
            session,
            snapshots.query(figures.OUTLOOK),
            *attention.queries(now=now, clock_rate=rate),
            campaigns.latest_query(limit=_SHOWN),
        )
        outlook = figures.of(session, figures.OUTLOOK, now=now, stored=stored)
    days = outlook.value["days"]
    today = now.date()
    return {
        "taken_at": outlook.taken_at.replace(second=0, microsecond=0),  # as it is shown
        "items": attention.in_order(*of_attention),
        "campaigns": newest,
        "chart": _chart(days, today),
        "sent_today": days.get(str(today), {}).get("sent", 0),
        "due_today": _due(days, today),
        "due_week": sum(_due(days, today + timedelta(days=ahead)) for ahead in range(figures.DAYS_AHEAD)),
        "converted": sum(day.get("converted", 0) for day in days.values()),
    }


def _due(days: Mapping[str, Any], day: date) -> int:
    return sum(days.get(str(day), {}).get("due", {}).values())


def _chart(days: Mapping[str, Any], today: date) -> dict[str, list[Any]]:
    shown = [today + timedelta(days=ahead) for ahead in range(-7, figures.DAYS_AHEAD)]
    return {
        "labels": [languages.day(day) for day in shown],
        "sent": [days.get(str(day), {}).get("sent", 0) for day in shown],
        "due": [_due(days, day) for day in shown],
    }
