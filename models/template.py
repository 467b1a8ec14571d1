"""Tables of the templates in the database and of their versions."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Moment, Stamp


class Template(Base):
    """A template that is edited in the database.

    A deleted one stays for a while, for e-mails that were accepted at the same moment, and its row for ever: no number
    is used again for other content, because processes keep versions compiled. Versions before `first_version` are those
    of a deleted template of the same name.
    """

    __tablename__ = "templates"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(50, collation="C"), unique=True)  # listed with the names of folders
    created_at: Mapped[Stamp]
    first_version: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"), default=1)
    newest_version: Mapped[int] = mapped_column(SmallInteger)
    published_version: Mapped[int | None] = mapped_column(SmallInteger)
    deleted_at: Mapped[Moment | None]


class TemplateVersion(Base):
    """One saved state of a template; it never changes. It has `html` or `mjml`."""

    __tablename__ = "template_versions"
    __table_args__ = (Index("ix_template_versions_pictures", "pictures", postgresql_using="gin"),)

    template_id: Mapped[UUID] = mapped_column(ForeignKey("templates.id"), primary_key=True)
    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    subject: Mapped[str] = mapped_column(Text)
    preheader: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    mjml: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    sample: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256 of the content as canonical JSON
    author: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))
    note: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[Stamp]
    # Digests in its texts, of uploaded pictures: a picture is deleted only if no version has its digest.
    pictures: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}", default=list)
