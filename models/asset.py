"""Table of assets: pictures that people upload for e-mails and pages."""

from uuid import UUID

from sqlalchemy import ForeignKey, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Stamp, Word


class Asset(Base):
    """A picture. `digest` is that of `octets`, so the same picture is one row; `name` is the file's, as uploaded."""

    __tablename__ = "assets"

    id: Mapped[Id]
    digest: Mapped[Word] = mapped_column(unique=True)
    extension: Mapped[Word]
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    size_bytes: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    octets: Mapped[bytes] = mapped_column(LargeBinary)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    created_at: Mapped[Stamp]
