"""Confirm a submission: it becomes a contact with a recorded consent, and starts what its form says."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import contacts
from engine.campaigns import enrollments
from engine.engagement import consent
from engine.forms import correspondence, definitions, forms
from engine.forms.definitions import DETAILS, EMAIL, VALID
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from errors import Conflict, NotFound
from models import FormSubmission

log = logging.getLogger(__name__)

_DETAILS = (*DETAILS, "locale")

_CONFIRM = text("""
UPDATE form_submissions
   SET state = 'confirmed', confirmed_at = :now, confirmed_by = :by, confirmed_network = :network,
       contact_id = :contact_id, address = NULL, fields = NULL, notice_ids = CAST(:notice_ids AS uuid[])
 WHERE id = :id AND state = 'pending'
""")


@dataclass(frozen=True, slots=True)
class Situation:
    """A submission as its confirmation page shows it; `state` is pending, confirmed or expired."""

    state: str
    form: StoredForm
    language: str
    email_id: UUID | None


def situation(session: Session, submission_id: UUID, *, now: datetime) -> Situation:
    """Return the state of a submission; raises NotFound."""
    row = session.get(FormSubmission, submission_id)
    if row is None:
        raise NotFound("submission: there is none with this id")
    return _situation(session, row, now)


class Visit(NamedTuple):
    """The act that confirms, by a `press`, the `page` itself or the `form` (no double opt-in), and its network."""

    by: str
    network: str


def confirm(
    session: Session, submission_id: UUID, visit: Visit, *, services: FormServices, now: datetime
) -> tuple[Situation, bool]:
    """Confirm a submission; return its state, and True if this call confirmed it.

    Creates the contact, or completes the details of a known one, lists it, lifts its own unsubscription, sets the
    form's attributes, enrolls it, and queues the notices. A dead address or a complaint stays suppressed, so it is
    enrolled as stopped. Of two at once the second finds it confirmed. Commit, then ring `transactional` and
    `sequence`. Raises NotFound.
    """
    row = session.scalar(select(FormSubmission).where(FormSubmission.id == submission_id).with_for_update())
    if row is None:
        raise NotFound("submission: there is none with this id")
    before = _situation(session, row, now)
    values = correspondence.values_of(row.address, row.fields)
    if before.state != "pending" or values is None:
        return before, False
    contact_id = _add_contact(session, before, values, now)
    confirmed = {"id": submission_id, "now": now, "by": visit.by, "network": visit.network or None}
    notices = correspondence.notify(session, before.form, values, services=services, now=now)
    session.execute(_CONFIRM, {**confirmed, "contact_id": contact_id, "notice_ids": notices or None})
    log.info("form_confirmed form=%s submission=%s", before.form.definition.slug, submission_id)
    return Situation("confirmed", before.form, before.language, before.email_id), True


def _add_contact(session: Session, situation: Situation, values: Mapping[str, str], now: datetime) -> UUID:
    """Create or complete the contact, record that it agreed, and enroll it; return its id."""
    definition = situation.form.definition
    address = values[EMAIL]
    submitted = {**{name: value for name, value in values.items() if name != EMAIL}, "locale": situation.language}
    if not definition.double_opt_in:
        submitted = _missing(session, address, submitted)
    details = {name: value for name, value in submitted.items() if name in _DETAILS}
    attributes = {name: value for name, value in submitted.items() if name not in _DETAILS}
    draft = contacts.Draft(address, **details, attributes={**attributes, **definition.attributes})
    contacts.upsert(session, [draft], now=now)
    contact_id = contacts.find(session, address)
    assert contact_id is not None  # noqa: S101  # it was stored by the line before
    if definition.double_opt_in:  # otherwise anybody could end the unsubscription of another person
        consent.give(session, contact_id, now=now)
    if definition.campaign_id is not None:
        _enroll(session, definition.slug, definition.campaign_id, contact_id, now)
    return contact_id


def _missing(session: Session, address: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values that a known contact lacks: without double opt-in anybody may have typed them."""
    contact_id = contacts.find(session, address)
    if contact_id is None:
        return dict(values)
    view = contacts.view(session, contact_id)
    return {
        name: value
        for name, value in values.items()
        if not (getattr(view, name) if name in _DETAILS else view.attributes.get(name))
    }


def _enroll(session: Session, slug: str, campaign_id: UUID, contact_id: UUID, now: datetime) -> None:
    """Enroll a person; report a campaign that was cancelled or deleted: the sign-up counts nevertheless."""
    try:
        enrollments.enroll(session, campaign_id, contact_ids=[contact_id], by_form=True, now=now)
    except (Conflict, NotFound) as refused:
        log.error("form_enrolls_in_no_campaign form=%s campaign=%s: %s", slug, campaign_id, refused)


def _situation(session: Session, row: FormSubmission, now: datetime) -> Situation:
    is_over = row.state == "pending" and row.submitted_at + VALID <= now
    language = row.language if row.language in definitions.LANGUAGES else definitions.LANGUAGES[0]
    return Situation("expired" if is_over else row.state, forms.by_id(session, row.form_id), language, row.email_id)
