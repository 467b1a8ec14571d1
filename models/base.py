"""The declarative base, and column types that several tables share."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, MetaData, String, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

from models import ids

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Annotated[UUID, mapped_column(primary_key=True, default=ids.new, server_default=text(ids.NEW_SQL))]
EnrollmentId = Annotated[
    UUID, mapped_column(primary_key=True, default=ids.new_enrollment, server_default=text(ids.NEW_ENROLLMENT_SQL))
]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Stamp = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=text("now()"))]
Word = Annotated[str, mapped_column(String(50))]
Flag = Annotated[bool, mapped_column(server_default=text("false"), default=False)]


class Base(DeclarativeBase):
    """Base of all tables; it names constraints, so that migrations can refer to them."""

    metadata = MetaData(naming_convention=NAMES)


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Return a CHECK that `column` is one of these values."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=f"{column}_known")
