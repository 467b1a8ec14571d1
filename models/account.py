"""Who may call the API, which tokens no longer count, and which requests were already answered."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Moment, Stamp


class Account(Base):
    """A person or program that calls the API; `scopes` are what it may do.

    A token names the `generation` it was made in; the next one (a new password) ends all tokens before it.
    """

    __tablename__ = "accounts"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(50)), server_default=text("'{}'"), default=list)
    generation: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    created_at: Mapped[Stamp]
    disabled_at: Mapped[Moment | None]


class RevokedToken(Base):
    """A token, or a whole family of refreshed ones, that no longer counts; kept until it would have expired."""

    __tablename__ = "revoked_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    revoked_at: Mapped[Stamp]
    expires_at: Mapped[Moment] = mapped_column(index=True)


class IdempotencyKey(Base):
    """One request that carried an Idempotency-Key, and the answer it got, to the byte."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    response: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Stamp]
