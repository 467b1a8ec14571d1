"""Rows for tests about e-mails that are already in the ledger, inserted directly."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from models import Campaign, CampaignStep, Contact, Email, Enrollment, ids, vault

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail as a test needs it."""

    id: UUID
    contact_id: UUID
    campaign_id: UUID | None = None
    enrollment_id: UUID | None = None


def contact(session: Session, **columns: Any) -> UUID:
    """A contact at an address of its own."""
    contact_id = ids.new()
    address = f"{contact_id.hex}@empresa.example"
    session.add(Contact(id=contact_id, email=address, email_index=vault.current().blind_index(address), **columns))
    session.flush()
    return contact_id


def campaign(session: Session, *, steps: int = 3) -> UUID:
    """A running campaign whose steps are a day apart."""
    row = Campaign(id=ids.new(), name=ids.new().hex, state="running", launched_at=NOW)
    session.add(row)
    session.flush()
    for step in range(1, steps + 1):
        template = f"email_{step}_prueba"
        session.add(CampaignStep(campaign_id=row.id, step=step, template=template, subject="Prueba", delay_s=86_400))
    session.flush()
    return row.id


def enroll(session: Session, contact_id: UUID, campaign_id: UUID, *, next_step: int = 2) -> UUID:
    """A running enrollment whose next step is due in a day."""
    row = Enrollment(id=ids.new_enrollment(), contact_id=contact_id, campaign_id=campaign_id, next_step=next_step)
    row.next_at = NOW + timedelta(days=1)
    session.add(row)
    session.flush()
    return row.id


def mail(session: Session, *, contact_id: UUID | None = None, step: int | None = 1, **columns: Any) -> Mail:
    """A mail sent an hour ago, to a new contact unless one is given."""
    enrollment_id = columns.get("enrollment_id")
    mail_id = ids.of_step(enrollment_id, step) if enrollment_id and step else ids.new()
    contact_id = contact_id or contact(session)
    values = {"status": "sent", "sent_at": NOW - HOUR, "lane": "campaign", "due_at": NOW - HOUR} | columns
    template = "aviso" if step is None else f"email_{step}_prueba"
    message_id = f"{mail_id.hex}@cadencia.example"
    session.add(Email(id=mail_id, contact_id=contact_id, template=template, subject="Prueba", step=step,
                      message_id=message_id, **values))  # fmt: skip
    session.flush()
    return Mail(mail_id, contact_id, columns.get("campaign_id"), columns.get("enrollment_id"))


def campaign_mail(session: Session, campaign_id: UUID, *, contact_id: UUID | None = None, **columns: Any) -> Mail:
    """The sent mail of step 1 of an enrollment that goes on with step 2."""
    contact_id = contact_id or contact(session)
    enrollment_id = enroll(session, contact_id, campaign_id)
    return mail(session, contact_id=contact_id, campaign_id=campaign_id, enrollment_id=enrollment_id, **columns)
