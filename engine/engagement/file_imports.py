"""Store pages of imported contacts, and stop the sequences of those who opted out or converted."""

from datetime import datetime

from sqlalchemy.orm import Session

from engine.audience import imports
from engine.audience.import_report import Page, Stored
from engine.campaigns import stops
from engine.campaigns.stops import Cause


def store(session: Session, page: Page, *, now: datetime, dry_run: bool = False) -> Stored:
    """Store the contacts, opt-outs and conversions of one page. Safe to repeat; a dry run only counts."""
    savepoint = session.begin_nested() if dry_run else None
    stored = imports.store(session, page, now=now)
    stops.stop_for(session, {contact_id: Cause(*ending) for contact_id, ending in stored.endings.items()}, now=now)
    if savepoint:
        savepoint.rollback()
    return stored
