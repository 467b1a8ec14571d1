"""E-mails of forms: the request to confirm, its reminder, and the notice of a confirmed submission."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import recipients
from engine.audience.recipients import Recipient
from engine.delivery import outbox
from engine.delivery.outbox import SendRequest
from engine.forms import definitions
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from engine.messages import dates
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender
from errors import Unavailable
from models import vault
from models.email import TRANSACTIONAL

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=10)
DAY, DAILY_MAX = timedelta(days=1), 3
CONFIRMATION_TEMPLATES = tuple(f"confirmation_{language}" for language in definitions.LANGUAGES)
NOTICE = "signup_notice"
TEMPLATES = {*CONFIRMATION_TEMPLATES, NOTICE}  # those of forms, whose variables no campaign has
_LATELY = text("""
SELECT count(*) AS number, max(accepted_at) AS latest FROM emails
 WHERE contact_id = :recipient_id AND template = ANY(:templates) AND accepted_at > :since
""")
_NOTE = text("UPDATE form_submissions SET email_id = :email_id WHERE id = :id")


class NoTemplate(Unavailable):
    """The template of an e-mail of a form cannot be used on this host; nothing was stored."""


@dataclass(frozen=True, slots=True)
class PendingSubmission:
    """A submission that waits for its confirmation, until that moment, and the recipient of its address."""

    id: UUID
    form: StoredForm
    address: str
    recipient: Recipient
    language: str
    until: datetime


def may_ask(number: int, latest: datetime | None, *, now: datetime) -> bool:
    """Return False if an address got enough requests to confirm: their number within a day, and the latest of them."""
    return number < DAILY_MAX and (latest is None or latest <= now - PAUSE)


def confirmation_request(
    pending: PendingSubmission, services: FormServices, *, is_reminder: bool = False
) -> SendRequest:
    """Return the e-mail that asks to confirm; raise NoTemplate if its template cannot be used."""
    variables = {
        "form_title": definitions.in_language(pending.form.definition.title, pending.language),
        "link_confirm": services.url(f"/f/confirm/{services.signer.confirmation(pending.id)}"),
        "until": dates.day(pending.until.date(), pending.language),
        "is_reminder": "yes" if is_reminder else "",  # text, so that the e-mail can be prerendered
    }
    return _request(services, pending.address, pending.recipient, f"confirmation_{pending.language}", variables)


def remind(session: Session, pending: PendingSubmission, *, services: FormServices, now: datetime) -> bool:
    """Queue the e-mail that reminds of the confirmation; return False if the address got enough of them lately."""
    [recipient_id] = recipients.ensure(session, [pending.recipient], now=now)
    values = {"recipient_id": recipient_id, "templates": list(CONFIRMATION_TEMPLATES), "since": now - DAY}
    lately = session.execute(_LATELY, values).one()
    if not may_ask(lately.number, lately.latest, now=now):
        return False
    [email_id] = outbox.add(session, [confirmation_request(pending, services, is_reminder=True)], now=now)
    session.execute(_NOTE, {"email_id": email_id, "id": pending.id})
    return True


def notify(
    session: Session, form: StoredForm, values: Mapping[str, str], *, services: FormServices, now: datetime
) -> list[UUID]:
    """Queue a notice of a confirmed submission, with its values, to everybody whom the form names; return their ids."""
    if not form.definition.notify:
        return []
    labels = {field.name: definitions.in_language(field.label, "es") for field in form.definition.fields}
    labels[definitions.EMAIL] = "Dirección"
    variables = {
        "form_title": definitions.in_language(form.definition.title, "es"),
        "confirmed_on": dates.day(now.date(), "es"),
        "rows": [{"label": labels.get(name, name), "value": value} for name, value in values.items()],
    }
    try:
        colleagues = {address: recipients.seal(address) for address in form.definition.notify}
        requests = [_request(services, address, each, NOTICE, variables) for address, each in colleagues.items()]
    except NoTemplate as unusable:  # the sign-up counts nevertheless
        log.error("form_notice_failed form=%s error=%s", form.definition.slug, unusable)
        return []
    recipients.ensure(session, list(colleagues.values()), now=now)
    return outbox.add(session, requests, now=now)


def values_of(address: str | None, fields: str | None) -> dict[str, str] | None:
    """Return the address and the fields of a submission as it is stored; None without them, or if no key opens them."""
    plain, opened = vault.current().decrypt_all([address or "", fields or ""])
    if not plain or not opened:
        return None
    return {definitions.EMAIL: plain, **json.loads(opened)}


def _request(
    services: FormServices, address: str, recipient: Recipient, name: str, variables: Mapping[str, Any]
) -> SendRequest:
    """Return the request to send a recipient an e-mail of this template; raise NoTemplate if it cannot be used."""
    try:
        template = services.library.get(name)
        subject = template.subject(variables)
    except (UnusableTemplate, CannotRender) as fault:
        message = f"template: {name} of a form cannot be used: {fault}"
        raise NoTemplate(message, public="form: not usable now") from None
    return SendRequest(
        address,
        name,
        subject,
        variables,
        kind=TRANSACTIONAL,
        recipient=recipient.sealed,
        template_version=template.version,
    )
