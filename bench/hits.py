"""Stored pixels and clicks, and landing pages, per second, against an empty Flask view behind the same server.

python -m bench.hits               the short form
python -m bench.hits --runs 9      more rounds
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text

import settings
from bench.report import figures
from bench.testbed import views
from bench.testbed.installation import Installation
from bench.testbed.load import Load
from bench.testbed.served import Served
from bench.testbed.views import CONNECTIONS, View
from engine.forms import forms
from engine.forms.services import FormServices
from engine.landing import published, store
from engine.landing.store import Change
from engine.tracking import tokens
from models import ids
from models.session import transaction

MAILS = 50_000  # more than are requested in a second: hits of one reader within a second are one event
_TARGET = "https://agenda.example/cadencia?utm_source=correo&utm_campaign=logistica"
_CONTACT = text(
    "INSERT INTO contacts (id, email, email_index, created_at, updated_at) VALUES (:id, '', :index, now(), now())"
)
_MAILS = text("""
    INSERT INTO emails (id, contact_id, template, subject, status, lane, message_id, accepted_at, sent_at, due_at)
    SELECT unnest(CAST(:ids AS uuid[])), :contact, 'bench', 'bench', 'sent', 'campaign', 'bench', now(), now(), now()
""")


@dataclass(frozen=True, slots=True)
class Round:
    """Rates of one round: empty views, pixels, clicks and landing pages per second."""

    empty: float
    pixels: float
    clicks: float
    pages: float


def main() -> None:
    """Run the command line: print the table, then one JSON line per figure."""
    print("\n".join(figure_lines([Round(*each) for each in views.rounds(__doc__, views_to_measure)])), flush=True)


def views_to_measure(installation: Installation, server: Served) -> list[View]:
    """Return the paths: the pixels of many e-mails, a link in each, and a landing page with a form."""
    made, signer = mails(), tokens.Signer(settings.current().tracking_ring)
    pixels, clicks = installation.folder / "pixels", installation.folder / "clicks"
    pixels.write_text("\n".join(f"/o/{signer.opened(each)}.gif" for each in made))
    clicks.write_text("\n".join(f"/c/{signer.clicked(each, 1, _TARGET)}" for each in made))
    return [
        View("pixel", server, Load("/", paths=pixels)),
        View("click", server, Load("/", paths=clicks)),
        View("page", server, Load(landing_page())),
    ]


def landing_page() -> str:
    """Publish a landing page with a form, and return its path with a source."""
    now, services = datetime.now(UTC), FormServices.configured(settings.current())
    form = {"slug": "bench", "title": {"es": "Guía"}, "double_opt_in": False, "consent": {"es": "De acuerdo."}}
    text = {"kind": "text", "title": {"es": "Por qué"}, "text": {"es": "Doce páginas que se leen. " * 40}}
    blocks = [{"kind": "hero", "title": {"es": "Guía"}}, text, text, {"kind": "form", "form": "bench"}]
    with transaction() as session:
        if published.current(session, "bench") is None:  # of a run before, on the same database
            forms.create(session, form, services=services, now=now)
            store.create(session, "bench", {"title": {"es": "Guía"}, "blocks": blocks}, change=Change(), now=now)
            store.publish(session, "bench", None, now=now)
    return "/p/bench?utm_source=bench"


def mails() -> list[UUID]:
    """Store sent e-mails and return their ids."""
    made, contact = [ids.new() for _ in range(MAILS)], ids.new()
    with transaction() as session:
        session.execute(_CONTACT, {"id": contact, "index": contact.bytes})
        session.execute(_MAILS, {"ids": made, "contact": contact})
    return made


def figure_lines(rounds: list[Round]) -> list[str]:
    """Return the figures as JSON lines: the medians of the ratios of the rounds."""
    facts = {
        "connections": CONNECTIONS,
        "empty_views_per_second": round(figures.middle([each.empty for each in rounds])),
        "pixels_per_second": round(figures.middle([each.pixels for each in rounds])),
        "clicks_per_second": round(figures.middle([each.clicks for each in rounds])),
        "pages_per_second": round(figures.middle([each.pages for each in rounds])),
    }
    pixel = figures.of("pixel_over_empty_view", [each.pixels / each.empty for each in rounds], **facts)
    click = figures.of("click_over_empty_view", [each.clicks / each.empty for each in rounds], **facts)
    page = figures.of("landing_page_over_empty_view", [each.pages / each.empty for each in rounds], **facts)
    return [pixel.line, click.line, page.line]


if __name__ == "__main__":
    main()
