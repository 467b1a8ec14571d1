"""Table of the files in quarantine, by host and folder."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Stamp, Word


class Quarantine(Base):
    """The number of files that a host has put into quarantine in one of its folders, by the database's clock."""

    __tablename__ = "quarantines"

    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    folder: Mapped[Word] = mapped_column(primary_key=True)
    files: Mapped[int]
    since: Mapped[Stamp]
    seen_at: Mapped[Stamp]
