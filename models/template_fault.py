"""Table of the templates that a sending host cannot use."""

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moment, Stamp


class TemplateFault(Base):
    """A template that the senders of one host could not use at their last try, by the database's clock.

    `template` is the name, or like `oferta@3` a version in the database.
    """

    __tablename__ = "template_faults"

    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    template: Mapped[str] = mapped_column(String(60), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[Stamp]
    retry_at: Mapped[Moment]
