"""Contacts: import them, and learn what is known of one and why."""

from dataclasses import asdict
from io import BytesIO
from typing import Any

from engine import clock
from engine.audience import contacts, imports, suppressions
from engine.campaigns import explain
from models import ids
from models.session import retrying, transaction
from web.http import bodies
from web.http.auth import needs
from web.http.routes import Api, Reply
from web.schemas import contacts as shapes

api = Api("contacts", "/api/v1/contacts", about="The people mails go to.")


@api.post("/import", responses={200: shapes.ImportReport})
@needs("contacts")
def take_in(raw: shapes.CsvFile) -> Reply:  # noqa: ARG001  # says what the body is; it is read under our limits
    """Import contacts from a CSV file of up to 8 MB; larger ones go through `flask --app web contacts import`.

    The good rows are imported, all in one transaction, and the bad ones are told by line, field and fault. Columns
    may be called in English or Spanish; unknown ones become attributes, which templates may use. Contacts that are
    known learn what the file says and keep the rest, so a repeated call changes nothing.
    """
    data = bodies.raw(*shapes.CsvFile.mimetypes, limit="batch_limit_bytes")
    now = clock.now()
    report = retrying(lambda session: imports.take_in(session, BytesIO(data), now=now))
    return shapes.ImportReport.model_validate(asdict(report))


@api.get("/<contact_id>", responses={200: shapes.Contact})
@needs("contacts")
def show(path: shapes.ContactPath) -> Reply:
    """What is known of one contact: its flags and score, and what happened to it in each campaign and why."""
    with transaction() as session:
        view = contacts.view(session, path.contact_id)
        reasons = suppressions.suppressed(session, [path.contact_id])
        journeys = explain.why(session, path.contact_id, now=clock.now())
    told: dict[str, Any] = asdict(view) | {"suppressed": reasons.get(path.contact_id)}
    return shapes.Contact(**told, campaigns=[_journey(journey) for journey in journeys])


def _journey(journey: explain.Journey) -> shapes.Journey:
    steps = [asdict(step) | {"email_id": ids.public(step.email_id)} for step in journey.steps]
    return shapes.Journey.model_validate(asdict(journey) | {"steps": steps})
