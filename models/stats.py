"""Tables of rollups and of heartbeats."""

from uuid import UUID

from sqlalchemy import Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moment, Stamp, Word

COUNTERS = (
    "sent",
    "failed",
    "opened",
    "clicked",
    "converted",
    "replied",
    "unsubscribed",
    "bounced",
    "complained",
    "refused",
    "machine_opened",
    "machine_clicked",
)


def _counter() -> Mapped[int]:
    return mapped_column(Integer, server_default=text("0"), default=0)


class EmailStats(Base):
    """Counts by campaign, step, variant and hour; an e-mail counts at most once per column, by its first event.

    `opened` and `clicked` exclude machines, `machine_…` count only them. An e-mail outside campaigns has the nil UUID
    as its campaign, and 0 or the number in its template's name as its step.
    """

    __tablename__ = "email_stats"

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    variant: Mapped[Word] = mapped_column(primary_key=True, server_default=text("''"))
    hour: Mapped[Moment] = mapped_column(primary_key=True)
    sent: Mapped[int] = _counter()
    failed: Mapped[int] = _counter()
    opened: Mapped[int] = _counter()
    clicked: Mapped[int] = _counter()
    converted: Mapped[int] = _counter()
    replied: Mapped[int] = _counter()
    unsubscribed: Mapped[int] = _counter()
    bounced: Mapped[int] = _counter()
    complained: Mapped[int] = _counter()
    refused: Mapped[int] = _counter()
    machine_opened: Mapped[int] = _counter()
    machine_clicked: Mapped[int] = _counter()


class Heartbeat(Base):
    """The moment at which a periodic task last completed; the health page reads it."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    beaten_at: Mapped[Stamp]
