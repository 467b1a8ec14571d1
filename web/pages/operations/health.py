"""Health: the state of each part of the installation, with advice for each that needs somebody."""

from typing import Any

from flask import Response

from engine import clock, health
from web import pages, process
from web.pages.frame import layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("health")
ENTRY = layout.Entry("health_pages.show", lazy_gettext("Health"))

# Sections in their order, with the parts of each.
_SECTIONS = {
    "work": ("tick", "events", "spool"),
    "sending": ("lane", "in doubt", "senders"),
    "relays": ("relay", "queue"),
    "faults": ("template", "files"),
}


@views.get("/health")
@pages.needs("reports")
def show() -> Response:
    """Show the health of the installation."""
    return layout.page("operations/health", **_content())


@views.get("/health/lines")
@pages.needs("reports")
def part() -> Response:
    """Return the part that is fetched again while the page is open."""
    return layout.followed("operations/health_lines", _content)


def _content() -> dict[str, Any]:
    configured = process.current().settings
    with sessions.reading() as session:
        lines = health.stored(session, now=clock.now(), clock_rate=configured.clock_rate)
    lines += health.around()
    return {
        "sections": {name: [line for line in lines if line.part in parts] for name, parts in _SECTIONS.items()},
        "bad": sum(line.is_bad for line in lines) + sum("open" in line.numbers.get("states", ()) for line in lines),
        "flower": configured.flower_address,
        "counted_max": health.COUNTED_MAX,
    }
