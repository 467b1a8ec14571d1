"""Recording and applying events, and the rows that they change."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.delivery import early_events
from engine.engagement import reactions
from engine.tracking.bots.classifier import NEIGHBOURS_MAX
from engine.tracking.events import IncomingEvent
from models import Contact, Email, EmailStats
from models.stats import COUNTERS
from tests.mails import NOW, Mail


def happen(session: Session, *incoming: IncomingEvent, neighbours: int = NEIGHBOURS_MAX) -> None:
    """Record and apply these events; expire loaded rows."""
    early_events.record(session, incoming, now=NOW)
    reactions.apply(session, now=NOW, neighbours=neighbours)
    session.expire_all()


def email_of(session: Session, sent: Mail) -> Email:
    return session.get_one(Email, sent.id)


def contact_of(session: Session, sent: Mail) -> Contact:
    return session.get_one(Contact, sent.contact_id)


def counted(session: Session) -> dict[str, int]:
    sums = session.execute(select(*(func.sum(getattr(EmailStats, name)) for name in COUNTERS))).one()
    return {name: total for name, total in zip(COUNTERS, sums, strict=True) if total}
