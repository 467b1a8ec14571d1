"""Table of snapshots."""

from typing import Any

from sqlalchemy import Float, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Stamp


class Snapshot(Base):
    """Figures of a page, the moment at which they were counted, and how long that took.

    `wanted_at` is when a page last showed them, to about 20 s: watched figures are counted more often.
    """

    __tablename__ = "snapshots"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSONB)
    taken_at: Mapped[Stamp]
    took_s: Mapped[float] = mapped_column(Float)
    wanted_at: Mapped[Stamp]
