"""How many mails each relay carried, as the ledger has it."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_SINCE = text(
    "SELECT relay, count(*) AS mails FROM emails WHERE sent_at >= :since AND relay IS NOT NULL GROUP BY relay"
)


def since(session: Session, moment: datetime) -> dict[str, int]:
    """The mails each relay took since then, by its name. Reads the whole table: for people's eyes, not for sending."""
    return {row.relay: row.mails for row in session.execute(_SINCE, {"since": moment})}
