"""Tables of imports: files of contacts that people upload, their content until it is stored, their faults by line."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Flag, Moment, Stamp, Word, one_of

IMPORT_STATES = ("ready", "running", "done", "failed", "cancelled")


class FileImport(Base):
    """An import of an uploaded file. It is `ready` until a person has checked its preview and starts it.

    A worker stores the file page by page: `pages` of them are committed, and `read_bytes` of the file were read for
    them. `claim` names the worker that may write until `leased_until`, by the database's clock; `attempts` counts the
    claims since the last page. `reported` rows of `file_import_faults` are stored. The file's name and the preview are
    encrypted, and the preview is deleted with the content.
    """

    __tablename__ = "file_imports"
    __table_args__ = (
        one_of("state", IMPORT_STATES),
        Index("ix_file_imports_unfinished", "id", postgresql_where=text("state IN ('ready', 'running')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    state: Mapped[Word] = mapped_column(server_default=text("'ready'"), default="ready")
    file_name: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mapping: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    encoding: Mapped[str | None] = mapped_column(String(50))
    preview: Mapped[str | None] = mapped_column(Text)
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    pages: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
    read_bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), default=0)
    reported: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
    error: Mapped[str | None] = mapped_column(Text)
    claim: Mapped[UUID | None]
    leased_until: Mapped[Moment | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    created_at: Mapped[Stamp]
    started_at: Mapped[Moment | None]
    ended_at: Mapped[Moment | None]


class FileImportChunk(Base):
    """A part of an uploaded file, compressed and encrypted; deleted when the import ends."""

    __tablename__ = "file_import_chunks"

    import_id: Mapped[UUID] = mapped_column(ForeignKey("file_imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[str] = mapped_column(Text)


class FileImportFault(Base):
    """A fault of a refused row, or a note about a row that was stored; without the value."""

    __tablename__ = "file_import_faults"

    import_id: Mapped[UUID] = mapped_column(ForeignKey("file_imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    is_refused: Mapped[Flag]
    line: Mapped[int]
    field: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
