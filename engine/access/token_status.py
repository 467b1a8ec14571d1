"""Status of tokens: accounts that are closed, tokens that were revoked, refresh tokens that were used.

Times are real times, as in the tokens themselves, never product time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Account, RevokedToken

# A repetition of the exchange, after a lost response, gets the same next token for this long.
REPEATABLE_FOR = timedelta(minutes=1)
# Web servers accept a token for a few seconds after its end, by clocks that may differ from the database's.
_KEPT_AFTER_END = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """The scopes that tokens of this generation have now."""

    scopes: frozenset[str]
    generation: int


def get(session: Session, account_id: UUID, token_ids: Sequence[UUID]) -> TokenStatus | None:
    """Return the status of the account's tokens.

    None if the account is closed or does not exist, or if one of these tokens or families was revoked.
    """
    revoked = select(literal(1)).where(RevokedToken.id.in_(token_ids)).exists()
    row = session.execute(
        select(Account.scopes, Account.generation).where(
            Account.id == account_id, Account.disabled_at.is_(None), ~revoked
        )
    ).one_or_none()
    return row and TokenStatus(frozenset(row.scopes), row.generation)


def use_up(session: Session, token_id: UUID, *, account_id: UUID, expires_at: datetime, successor_id: UUID) -> bool:
    """Mark a refresh token as exchanged for `successor_id`. Of two calls at once, the second waits for the first.

    Return False if it was used before, because somebody has a copy (RFC 9700, 4.14.2). A repetition with the same
    successor, which nobody has used yet, is the same exchange for `REPEATABLE_FOR`, and returns True.
    """
    row = {"id": token_id, "account_id": account_id, "expires_at": expires_at, "successor_id": successor_id}
    used = insert(RevokedToken).values(row).on_conflict_do_nothing().returning(RevokedToken.id)
    return session.scalar(used) is not None or _is_repeatable(session, token_id, successor_id)


def _is_repeatable(session: Session, token_id: UUID, successor_id: UUID) -> bool:
    successor_used = select(literal(1)).where(RevokedToken.id == successor_id).exists()
    same = select(literal(1)).where(
        RevokedToken.id == token_id,
        RevokedToken.successor_id == successor_id,
        RevokedToken.revoked_at > func.now() - REPEATABLE_FOR,
        ~successor_used,
    )
    return session.scalar(same) is not None


def revoke(session: Session, token_ids: Sequence[UUID], *, account_id: UUID, expires_at: datetime) -> None:
    """Revoke these tokens or families of tokens. The rows are kept until `expires_at`. Safe to repeat."""
    rows = [{"id": token_id, "account_id": account_id, "expires_at": expires_at} for token_id in token_ids]
    session.execute(insert(RevokedToken).on_conflict_do_nothing(), rows)


def prune(session: Session) -> None:
    """Delete revocations of tokens that have expired."""
    session.execute(delete(RevokedToken).where(RevokedToken.expires_at < func.now() - _KEPT_AFTER_END))
