"""What the ledger says has left on a day, for when Redis does not know."""

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

_SENT = text("SELECT coalesce(sum(sent + failed), 0) FROM email_stats WHERE hour >= :start AND hour < :end")


def sent_on(session: Session, day: date) -> int:
    """The messages decided on that day of UTC, over all relays: the statistics do not tell them apart."""
    start = datetime.combine(day, time(), UTC)
    return int(session.execute(_SENT, {"start": start, "end": start + timedelta(days=1)}).scalar_one())
