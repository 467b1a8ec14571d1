"""Sessions of browsers: the account whose session a token belongs to."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.access.accounts import Profile
from models import arrays

# Built once: each request of a page executes it, and building it takes as long as executing it.
_ACCOUNT = text("""
SELECT id, name, scopes, generation, created_at, disabled_at, language, theme, timezone FROM accounts
 WHERE id = :account_id AND disabled_at IS NULL
   AND NOT EXISTS (SELECT FROM revoked_tokens WHERE id = ANY(CAST(:token_ids AS uuid[])))
""")


def account(session: Session, account_id: UUID, token_ids: Sequence[UUID]) -> Profile | None:
    """Return the account of a token in one statement; None if `token_status.get` is None."""
    row = session.execute(_ACCOUNT, {"account_id": account_id, "token_ids": arrays.uuids(token_ids)}).one_or_none()
    return None if row is None else Profile(**{**row._mapping, "scopes": frozenset(row.scopes)})
