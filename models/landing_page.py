"""Tables of landing pages: the pages, their versions, and visits by hour, by day and source."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Moment, Stamp, Word


class Page(Base):
    """One landing page: `version` is the newest, `published` the one that everybody sees."""

    __tablename__ = "pages"

    id: Mapped[Id]
    slug: Mapped[Word] = mapped_column(unique=True)
    version: Mapped[int] = mapped_column(Integer)
    published: Mapped[int | None] = mapped_column(Integer)
    published_at: Mapped[Moment | None]
    created_at: Mapped[Stamp]
    updated_at: Mapped[Stamp]


class PageVersion(Base):
    """The content of a page as it was saved once (engine/landing/content); never changed."""

    __tablename__ = "page_versions"

    page_id: Mapped[UUID] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256 of `content` as canonical JSON
    form_id: Mapped[UUID | None] = mapped_column(ForeignKey("forms.id"))
    author: Mapped[Word]  # the name of the account, empty if it was the command line
    note: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[Stamp]


class PageVisits(Base):
    """Views of a published page by hour and UTM source; those of machines are apart."""

    __tablename__ = "page_visits"

    page_id: Mapped[UUID] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), primary_key=True)
    hour: Mapped[Moment] = mapped_column(primary_key=True)
    source: Mapped[Word] = mapped_column(primary_key=True)
    views: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
    machine_views: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)


class PageVisitDays(Base):
    """The sums of `page_visits` by day in UTC: a page's figures of a year have a 24th of the rows."""

    __tablename__ = "page_visit_days"

    page_id: Mapped[UUID] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    source: Mapped[Word] = mapped_column(primary_key=True)
    views: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
    machine_views: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
