"""Tables of access: accounts, revoked tokens, idempotency keys."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Moment, Stamp


class Account(Base):
    """A person or program that may call the API, within its `scopes`.

    A token contains the account's `generation`. A new password increments it, which ends all earlier tokens.
    """

    __tablename__ = "accounts"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(50)), server_default=text("'{}'"), default=list)
    generation: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    created_at: Mapped[Stamp]
    disabled_at: Mapped[Moment | None]
    # Of the pages; language and theme are the browser's own if they are None.
    language: Mapped[str | None] = mapped_column(String(2))
    theme: Mapped[str | None] = mapped_column(String(5))
    timezone: Mapped[str | None] = mapped_column(String(50))  # UTC if it is None


class RevokedToken(Base):
    """A revoked token or family of refreshed tokens; kept until it would have expired.

    `successor_id` is the refresh token for which this one was exchanged.
    """

    __tablename__ = "revoked_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    revoked_at: Mapped[Stamp]
    expires_at: Mapped[Moment] = mapped_column(index=True)
    successor_id: Mapped[UUID | None]


class IdempotencyKey(Base):
    """A request with an Idempotency-Key, and the exact response to it."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    response: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Stamp]
