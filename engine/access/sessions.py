"""Whether a token still counts: revoked ones, refresh tokens that were used, accounts that were closed.

Times here are real time, as in the tokens themselves, and never the product's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Account, RevokedToken


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account's tokens of this generation may do now."""

    scopes: frozenset[str]
    generation: int


def standing(session: Session, account_id: UUID, token_ids: Sequence[UUID]) -> Standing | None:
    """The account's standing; None when it is gone or closed, or one of these tokens or families was revoked."""
    revoked = select(literal(1)).where(RevokedToken.id.in_(token_ids)).exists()
    row = session.execute(
        select(Account.scopes, Account.generation).where(
            Account.id == account_id, Account.disabled_at.is_(None), ~revoked
        )
    ).one_or_none()
    return row and Standing(frozenset(row.scopes), row.generation)


def use_up(session: Session, token_id: UUID, *, account_id: UUID, expires_at: datetime) -> bool:
    """Mark a refresh token as used; False when it already was: somebody has a copy of it (RFC 9700, 4.14.2).

    Of two calls at once one waits for the other and is told False.
    """
    row = {"id": token_id, "account_id": account_id, "expires_at": expires_at}
    used = insert(RevokedToken).values(row).on_conflict_do_nothing().returning(RevokedToken.id)
    return session.scalar(used) is not None


def revoke(session: Session, token_ids: Sequence[UUID], *, account_id: UUID, expires_at: datetime) -> None:
    """These tokens, or families of tokens, count no longer; kept until `expires_at`. Safe to repeat."""
    rows = [{"id": token_id, "account_id": account_id, "expires_at": expires_at} for token_id in token_ids]
    session.execute(insert(RevokedToken).on_conflict_do_nothing(), rows)
