"""Sources that are typed and not stored: their faults, findings and e-mail, with the values that the form chooses."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from engine.audience import addresses, contacts
from engine.audience.directory import contact_pages
from engine.previews import preview, trial, usage, values
from engine.previews.trial import PlacedFault
from engine.previews.values import Values
from engine.templates import checks
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender, Template
from errors import InvalidInput, NotFound
from models.session import Session
from web import process
from web.http import auth
from web.pages.email_templates import fields, framing
from web.pages.email_templates.fields import SourceForm
from web.pages.frame import faults, sessions
from web.pages.frame.languages import gettext

LIMIT = "batch_limit_bytes"  # of the form, so that a source over its own limit is refused at its field
_FIND_CHARS = 320
_FINDINGS_MAX = 20


def offer(session: Session, name: str, form: SourceForm) -> None:
    """Offer the values that a preview can have."""
    uses = usage.of(session, [name]).get(name, ())
    form.offer(contacts=auth.caller().may("contacts"), campaigns=[(str(use.id), use.name) for use in uses])


def tried(name: str, form: SourceForm, *, stored: int | None = None) -> dict[str, Any]:
    """Return the values that a page shows of the form's sources: `faults`, or the e-mail in the inbox and the findings.

    `stored` is the number of the version that the form shows unchanged, which the library may have compiled.
    """
    template = publishable(name, stored) if stored else None
    placed: list[PlacedFault] = []
    if template is None:
        template, placed = _template(name, form)
    if template is None or placed:
        return {"faults": placed}
    with sessions.reading() as session:
        chosen, is_unknown = _values(session, form, template)
    try:
        e_mail = preview.of(template, chosen.variables, framing.sender())
    except CannotRender as failure:
        return {"faults": [_failed(form, template, chosen, failure)]}
    return {
        "faults": (),
        "brand": process.current().brand,
        "chosen": chosen,
        "preview": e_mail,
        "unknown": is_unknown,
        **_findings(name, form),
    }


def document(name: str, form: SourceForm) -> tuple[bytes, list[PlacedFault]]:
    """Return the HTML of the e-mail that the form's sources make, or their faults."""
    template, placed = _template(name, form)
    if template is None or placed:
        return b"", placed
    with sessions.reading() as session:
        chosen, _ = _values(session, form, template)
    try:
        return preview.html(template, chosen.variables), []
    except CannotRender as failure:
        return b"", [_failed(form, template, chosen, failure)]


def _findings(name: str, form: SourceForm) -> dict[str, Any]:
    """Return the first findings of the checks of the form's sources, and the number of the others."""
    content, sender = fields.content_of(form), process.current().brand
    findings = process.current().findings.of((name, content.digest), lambda: checks.of(name, content.parts(), sender))
    shown = [
        {
            **asdict(each),
            "part": trial.part_of(each.part),
            "message": faults.sentence(each.message),
            "remedy": faults.sentence(each.remedy),
        }
        for each in findings[:_FINDINGS_MAX]
    ]
    return {"findings": shown, "more": len(findings) - len(shown)}


def publishable(name: str, version: int) -> Template | None:
    """Return the template of a stored version, which the library keeps compiled; None if it has faults."""
    try:
        template = process.current().library.get(name, version)
    except UnusableTemplate:
        return None
    return None if template.lacking or template.check(template.sample) else template


def _template(name: str, form: SourceForm) -> tuple[Template | None, list[PlacedFault]]:
    """Return the template that the form's sources make, with faults in the reader's language."""
    try:
        content = fields.content_of(form)
    except InvalidInput as error:
        return None, [worded(trial.placed(fault)) for fault in error.faults]
    template, placed = trial.of(process.current().library, name, content)
    return template, list(map(worded, placed))


def _failed(form: SourceForm, template: Template, chosen: Values, failure: CannotRender) -> PlacedFault:
    return worded(trial.failed(fields.content_of(form), template, chosen.variables, str(failure)))


def worded(fault: PlacedFault) -> PlacedFault:
    """Return the fault in the reader's language."""
    return fault._replace(message=faults.sentence(fault.message))


def with_line(fault: PlacedFault) -> str:
    """Return the message of a fault with its line."""
    return (
        gettext("Line %(number)s: %(fault)s", number=fault.line, fault=fault.message) if fault.line else fault.message
    )


def _values(session: Session, form: SourceForm, template: Template) -> tuple[Values, bool]:
    """Return the values that the form chooses, and True if it names a contact that does not exist."""
    chosen = form.values.data or fields.SAMPLE
    contact_id, is_unknown = None, False
    if chosen == fields.CONTACT and auth.caller().may("contacts"):
        written = (form.find.data or "").strip()[:_FIND_CHARS]
        contact_id = _contact(session, written) if written else None
        is_unknown = bool(written) and contact_id is None
    campaign_id, extreme = _campaign(chosen), fields.extreme(chosen)
    try:
        chosen_values = values.of(session, template, contact_id=contact_id, campaign_id=campaign_id, extreme=extreme)
    except NotFound:  # of a campaign that was deleted meanwhile
        chosen_values = values.sample(template)
    return chosen_values, is_unknown


def _campaign(chosen: str) -> UUID | None:
    try:
        return UUID(chosen)
    except ValueError:
        return None


def _contact(session: Session, written: str) -> UUID | None:
    """Return the contact with this address, or the first whose name or company begins so."""
    if "@" not in written:
        people = contact_pages.page(session, contact_pages.Filter(written), limit=1).contacts
        return people[0].id if people else None
    try:
        return contacts.find(session, addresses.normalise(written))
    except InvalidInput:
        return None
