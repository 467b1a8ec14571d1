"""Routes of contacts: import, and the record of one contact."""

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

api = Api("contacts", "/api/v1/contacts", about="The people who get e-mails.")


@api.post("/import", responses={200: shapes.ImportReport})
@needs("contacts")
def take_in(raw: shapes.CsvFile) -> Reply:  # noqa: ARG001  # says what the body is; it is read under our limits
    """Import contacts from a CSV file of up to 8 MB; larger ones go through `cadencia contacts import`.

    Valid rows are imported in one transaction; invalid ones are reported by line, field and fault. Columns may be
    named in English or Spanish; unknown ones become attributes that templates may use. Known contacts are updated
    with the values of the file and keep the others, so a repeated request changes nothing.
    """
    data = bodies.raw(*shapes.CsvFile.mimetypes, limit="batch_limit_bytes")
    now = clock.now()
    report = retrying(lambda session: imports.take_in(session, BytesIO(data), now=now))
    return shapes.ImportReport.model_validate(asdict(report))


@api.get("/<contact_id>", responses={200: shapes.Contact})
@needs("contacts")
def show(path: shapes.ContactPath) -> Reply:
    """Return one contact with its flags and score, and its progress in each campaign with the reasons."""
    with transaction() as session:
        view = contacts.view(session, path.contact_id)
        reasons = suppressions.suppressed(session, [path.contact_id])
        journeys = explain.why(session, path.contact_id, now=clock.now())
    fields: dict[str, Any] = asdict(view) | {"suppressed": reasons.get(path.contact_id)}
    return shapes.Contact(**fields, campaigns=[_journey(journey) for journey in journeys])


def _journey(journey: explain.Journey) -> shapes.Journey:
    steps = [asdict(step) | {"email_id": ids.public(step.email_id)} for step in journey.steps]
    return shapes.Journey.model_validate(asdict(journey) | {"steps": steps})
