"""Sessions of browsers: the account whose session a token belongs to."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.access import token_status
from engine.access.accounts import Profile
from models import Account

_COLUMNS = [getattr(Account, name) for name in Profile.__dataclass_fields__]


def account(session: Session, account_id: UUID, token_ids: Sequence[UUID]) -> Profile | None:
    """Return the account of a token in one statement; None if `token_status.get` is None.

    Each request of a page calls it, so it makes no mapped object.
    """
    row = session.execute(select(*_COLUMNS).where(*token_status.is_valid(account_id, token_ids))).one_or_none()
    return None if row is None else Profile(**{**row._mapping, "scopes": frozenset(row.scopes)})
