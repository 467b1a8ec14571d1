"""Routes of contacts: import, and the record of one contact."""

from dataclasses import asdict
from datetime import datetime
from io import BytesIO
from time import monotonic
from typing import Any

from engine import clock
from engine.audience import contacts, imports, suppressions
from engine.campaigns import explain
from errors import InvalidInput
from models import ids
from models.session import Session, retrying, transaction
from web.http import bodies
from web.http.auth import needs
from web.http.routes import Api, Reply
from web.schemas import contacts as shapes

IMPORT_S = 20.0  # the longest time that an import may occupy a thread
REFUSED_MAX = 20_000  # rows; a file with more of them is the wrong file, and each takes as long as a valid one
_INSTEAD = "split it, or import it with `cadencia contacts import`"

api = Api("contacts", "/api/v1/contacts", about="The people who get e-mails.")


@api.post("/import", responses={200: shapes.ImportReport})
@needs("contacts")
def take_in(raw: shapes.CsvFile) -> Reply:  # noqa: ARG001  # says what the body is; it is read under our limits
    """Import contacts from a CSV file of up to 8 MB; larger ones go through `cadencia contacts import`.

    Valid rows are imported in one transaction; invalid ones are reported by line, field and fault. Columns may be
    named in English or Spanish; unknown ones become attributes that templates may use. Known contacts are updated
    with the values of the file and keep the others, so a repeated request changes nothing. A file that takes longer
    than 20 s, or has more than 20,000 invalid rows, is refused as a whole.
    """
    data = bodies.raw(*shapes.CsvFile.mimetypes, limit="batch_limit_bytes")
    now = clock.now()
    end = monotonic() + IMPORT_S
    report = retrying(lambda session: take_pages(session, data, now=now, end=end))
    return shapes.ImportReport.model_validate(asdict(report))


def take_pages(session: Session, data: bytes, *, now: datetime, end: float) -> imports.ImportReport:
    """Import a file page by page; raise InvalidInput once `end`, by the monotonic clock, has passed."""
    report = imports.ImportReport()
    for page in imports.pages(BytesIO(data)):
        if report.refused + page.refused > REFUSED_MAX:
            raise InvalidInput.of("file", f"has more than {REFUSED_MAX} invalid rows; is it a table of contacts?")
        report = report.plus(page, imports.store(session, page, now=now))
        if monotonic() > end:
            raise InvalidInput.of("file", f"needs more than {IMPORT_S:.0f} s; {_INSTEAD}")
    return report


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
