"""Routes of contacts: import, list, find, add, suppress, release and erase, and the record of one contact."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from io import BytesIO
from time import monotonic, thread_time
from typing import Any
from uuid import UUID

from engine import clock
from engine.audience import addresses, contacts, imports, segments, suppressions
from engine.audience.directory import contact_pages
from engine.audience.import_report import ImportReport, Page
from engine.campaigns import explain
from engine.engagement import by_hand, file_imports
from engine.forms import consents, people
from errors import Fault, InvalidInput, NotFound
from models import ids
from models.session import Session, retrying, transaction
from web.http import bodies
from web.http.auth import needs
from web.http.routes import Api, Reply, refusals
from web.schemas import contacts as shapes
from web.schemas.forms import ConsentRecord
from web.schemas.problems import examples

IMPORT_S = 20.0  # the longest time that an import may occupy a thread
READ_S = 6.0  # of CPU, to read a file: 8 MB of usual rows take 5 s, but 1 MB of international domains 10 s
REFUSED_MAX = 20_000  # rows; a file with more of them is the wrong file, and each takes as long as a valid one
_INSTEAD = "split it, or import it with `cadencia contacts import`"

api = Api("contacts", "/api/v1/contacts", about="The people who get e-mails.")
_NOBODY = refusals({404: examples.NOT_FOUND["contact_id"]})
_UNKNOWN = refusals({404: "contact: there is none with this address"})
_HELD = refusals(
    {
        404: "suppression: this address has none",
        409: "suppression: unsubscribed, the person unsubscribed (since 2026-03-02); "
        "name the reason to release it nevertheless: unsubscribed",
    }
)
_IN_FLIGHT = refusals(
    {
        404: "contact: there is none with this address",
        409: "contact: an e-mail to it is being sent; repeat in a minute",
    }
)
_NO_TABLE = refusals({422: examples.of_faults([Fault("header", "has no column for the address")], 422)})


@api.post("/import", responses={200: shapes.ImportReport, **_NO_TABLE})
@needs("contacts")
def take_in(raw: shapes.CsvFile, query: shapes.ImportOptions) -> Reply:  # noqa: ARG001  # raw is read under our limits
    """Import contacts from a CSV file of up to 8 MB; larger ones go through `cadencia contacts import`.

    Valid rows are imported in one transaction; rows without a valid address are reported by line, field and fault.
    Columns are recognised by name, in English or Spanish, and by content; unknown ones become attributes that templates
    may use; `file.columns` says how each was understood. Opt-out columns suppress addresses. Known contacts are updated
    with the values of the file and keep the others, so a repeated request changes nothing. A file that takes longer
    than 20 s, or than 6 s to be read, or has more than 20,000 invalid rows, is refused as a whole.
    """
    data = bodies.raw(*shapes.CsvFile.mimetypes, limit="batch_limit_bytes")
    now = clock.now()
    end = monotonic() + IMPORT_S

    def work(session: Session) -> ImportReport:
        pages = imports.pages(BytesIO(data), mapping=query.map, encoding=query.encoding)
        return take_pages(session, read_within(pages, READ_S), now=now, end=end, dry_run=query.dry_run)

    return shapes.ImportReport.model_validate(asdict(retrying(work)))


def read_within(pages: Iterable[Page], read_s: float) -> Iterator[Page]:
    """Yield the pages of a file; raise InvalidInput once it has taken `read_s` seconds of CPU to read them."""
    left_s, began = read_s, thread_time()
    for page in pages:
        left_s -= thread_time() - began
        if left_s < 0:
            raise InvalidInput.of("file", f"needs more than {read_s:.0f} s to be read; {_INSTEAD}")
        yield page
        began = thread_time()


def take_pages(
    session: Session, pages: Iterable[Page], *, now: datetime, end: float, dry_run: bool = False
) -> ImportReport:
    """Store the pages of a file; raise InvalidInput once `end`, by the monotonic clock, has passed."""
    report = ImportReport()
    for page in pages:
        if report.refused + page.refused > REFUSED_MAX:
            raise InvalidInput.of("file", f"has more than {REFUSED_MAX} invalid rows; is it a table of contacts?")
        report = report.plus(page, file_imports.store(session, page, now=now, dry_run=dry_run))
        if monotonic() > end:
            raise InvalidInput.of("file", f"needs more than {IMPORT_S:.0f} s; {_INSTEAD}")
    return report


@api.get("", responses={200: shapes.Contacts})
@needs("contacts")
def listing(query: shapes.ContactsQuery) -> Reply:
    """List contacts: the newest first, or with `prefix` those whose name or company begins with it, by name.

    `next` of a page is `after` of the next one. To find a contact by address, use `POST /api/v1/contacts/find`.
    """
    words = {name: (word,) for name in ("industry", "role", "followup_status") if (word := getattr(query, name))}
    page = contact_pages.Page((), None)
    if all("\0" not in word for (word,) in words.values()):  # a NUL cannot be compared
        segment = segments.Segment(words=words, min_score=query.min_score)
        with transaction() as session:
            wanted = contact_pages.Filter(query.prefix, segment)
            page = contact_pages.page(session, wanted, after=query.after, limit=query.limit)
    return shapes.Contacts(contacts=[shapes.ListedContact(**asdict(each)) for each in page.contacts], next=page.after)


@api.post("/find", responses={200: shapes.Contact, **_UNKNOWN})
@needs("contacts")
def find(body: shapes.Address) -> Reply:
    """Return the contact with this address. The address is in the body, so that no log or proxy keeps it."""
    with transaction() as session:
        contact_id = contacts.find(session, addresses.normalise(body.email, field="email"))
        if contact_id is None:
            raise NotFound("contact: there is none with this address")
        return _record(session, contact_id)


@api.post("", responses={200: shapes.Contact})
@needs("contacts")
def add(body: shapes.NewContact) -> Reply:
    """Create one contact, or update it, and let audiences include it. Details that are left out stay as they are.

    A contact who is known from single sends only is in no audience before that (or an import).
    """
    draft = contacts.Draft(addresses.normalise(body.email, field="email"), **body.model_dump(exclude={"email"}))
    with transaction() as session:
        contacts.upsert(session, [draft], now=clock.now())
        contact_id = contacts.find(session, draft.address)
        assert contact_id is not None  # noqa: S101  # it was stored by the line before
        return _record(session, contact_id)


@api.post("/suppress", responses={200: shapes.Consent, **_NOBODY})
@needs("contacts")
def suppress(body: shapes.Person) -> Reply:
    """Suppress an address by hand: no marketing e-mail goes to it any more, also if it is imported later.

    The address need not be a contact. The contact's sequences stop. Safe to repeat.
    """

    def work(session: Session) -> shapes.Consent:
        person = _person(session, body)
        by_hand.suppress(session, person, now=clock.now())
        return _consent(session, person)

    return retrying(work)


@api.post("/release", responses={200: shapes.Consent, **_HELD})
@needs("contacts")
def release(body: shapes.Release) -> Reply:
    """End a suppression by hand. For another reason than `manual`, name that reason in `even`. 404 if there is none.

    `suppressed` of the response is what remains, such as an unsubscription that the suppression hid. Stopped sequences
    stay stopped.
    """

    def work(session: Session) -> shapes.Consent:
        person = _person(session, body)
        by_hand.release(session, person, even=body.even, now=clock.now())
        return _consent(session, person)

    return retrying(work)


@api.post("/erase", responses={200: shapes.Erased, **_IN_FLIGHT})
@needs("contacts")
def erase(body: shapes.Person) -> Reply:
    """Erase the personal data of a contact: address, details, variables, data of events. It cannot be undone.

    Sign-ups that wait are erased; of consents form, moments and text stay. The counts stay, and the address stays
    suppressed by its blind index. 409 while an e-mail to the contact is being sent; nothing more goes out then, so
    repeat in a minute. Safe to repeat.
    """
    with transaction() as session:
        person = _person(session, body)
    if person.contact_id is None:
        raise NotFound("contact: there is none with this address")
    people.suppress_and_erase(retrying, person.contact_id, now=clock.now())
    return shapes.Erased(contact_id=person.contact_id)


@api.get("/<contact_id>", responses={200: shapes.Contact})
@needs("contacts")
def show(path: shapes.ContactPath) -> Reply:
    """Return one contact with its flags and score, and its progress in each campaign with the reasons."""
    with transaction() as session:
        return _record(session, path.contact_id)


def _record(session: Session, contact_id: UUID) -> shapes.Contact:
    view = contacts.view(session, contact_id)
    reasons = suppressions.suppressed(session, [contact_id])
    journeys = explain.why(session, contact_id, now=clock.now())
    fields: dict[str, Any] = asdict(view) | {"suppressed": reasons.get(contact_id)}
    agreed = [ConsentRecord.model_validate(asdict(each)) for each in consents.of(session, contact_id)]
    return shapes.Contact(**fields, campaigns=[_journey(journey) for journey in journeys], consents=agreed)


def _person(session: Session, body: shapes.Person) -> by_hand.Person:
    if body.contact_id is not None:
        return by_hand.by_id(session, body.contact_id)
    return by_hand.by_address(session, addresses.normalise(body.email or "", field="email"))


def _consent(session: Session, person: by_hand.Person) -> shapes.Consent:
    suppression = suppressions.of_index(session, person.key)
    return shapes.Consent(contact_id=person.contact_id, suppressed=suppression.reason if suppression else None)


def _journey(journey: explain.Journey) -> shapes.Journey:
    steps = [asdict(step) | {"email_id": ids.public(step.email_id)} for step in journey.steps]
    return shapes.Journey.model_validate(asdict(journey) | {"steps": steps})
