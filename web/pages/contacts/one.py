"""One contact: its details, its score, its campaigns with the reasons, and its timeline."""

from uuid import UUID

from flask import Response, request

from engine import clock
from engine.audience import contacts, suppressions
from engine.campaigns import explain
from engine.campaigns.reports import timeline
from engine.forms import consents
from engine.scoring import rules
from web import pages
from web.pages.contacts import words
from web.pages.frame import layout, sessions

views = layout.blueprint("contact")


@views.get("/contacts/<uuid:contact_id>")
@pages.needs("contacts")
def show(contact_id: UUID) -> Response:
    """Show one contact; later pages show the timeline alone."""
    before, now = request.args.get("before"), clock.now()
    with sessions.reading() as session:
        view = contacts.view(session, contact_id)
        suppressed = suppressions.suppressed(session, [contact_id]).get(contact_id)
        journeys = explain.why(session, contact_id, now=now) if before is None else []
        agreed = consents.of(session, contact_id) if before is None else []
        page = timeline.page(session, contact_id, before=before)
    return layout.page(
        "contacts/contact",
        contact=view,
        suppressed=suppressed,
        is_paused=view.paused_until is not None and view.paused_until > now,
        score_parts=rules.parts({**view.flags, "converted": view.converted}, view.followup_status),
        journeys=journeys,
        consents=agreed,
        page=page,
        is_first=before is None,
        statuses=words.translated(words.STATUSES),
        suppression_reasons=words.translated(words.SUPPRESSED),
        stop_reasons=words.translated(words.STOPPED),
    )
