"""Change accounts of others: only scopes that one has can be granted, and the last administrator stays.

Commands use `accounts` itself, because an operator who reads the settings may do everything.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.access import accounts
from engine.access.accounts import Profile
from engine.access.scope_names import ADMIN
from errors import Conflict, Forbidden
from models import Account


def new_password() -> str:
    """Return a password of 120 random bits."""
    return secrets.token_urlsafe(15)


def create(session: Session, name: str, password: str, scopes: Sequence[str], *, by: Collection[str]) -> Profile:
    """Create an account with scopes that `by`, the scopes of the caller, include. Raises as `accounts.create`."""
    _check_held(scopes, by)
    return accounts.create(session, name, password, scopes=scopes)


def set_scopes(session: Session, account_id: UUID, scopes: Sequence[str], *, by: Collection[str]) -> Profile:
    """Replace the scopes of an account. Raises Conflict for the last administrator, InvalidInput, NotFound."""
    account = _changeable(session, account_id, by)
    _check_held(scopes, by)
    if ADMIN not in scopes:
        _keep_an_admin(session, account)
    return accounts.set_scopes(session, account.name, scopes)


def close(session: Session, account_id: UUID, *, by: Collection[str], now: datetime) -> Profile:
    """Close an account. Raises Conflict for the last administrator, NotFound. Safe to repeat."""
    account = _changeable(session, account_id, by)
    _keep_an_admin(session, account)
    return accounts.disable(session, account.name, now=now)


def reopen(session: Session, account_id: UUID, *, by: Collection[str]) -> Profile:
    """Open a closed account again. Raises NotFound. Safe to repeat."""
    return accounts.reopen(session, _changeable(session, account_id, by).name)


def set_password(session: Session, account_id: UUID, password: str, *, by: Collection[str]) -> Profile:
    """Set another account's password, which ends its sessions and tokens. Raises InvalidInput, NotFound."""
    return accounts.set_password(session, _changeable(session, account_id, by).name, password)


def end_sessions(session: Session, account_id: UUID, *, by: Collection[str]) -> Profile:
    """End all sessions and tokens of an account. Raises NotFound."""
    return accounts.end_sessions(session, _changeable(session, account_id, by).name)


def _changeable(session: Session, account_id: UUID, by: Collection[str]) -> Profile:
    """Return the account; Forbidden if it holds more than the caller, who could otherwise become it."""
    account = accounts.of_id(session, account_id)
    _check_held(account.scopes, by)
    return account


def _check_held(scopes: Collection[str], by: Collection[str]) -> None:
    if ADMIN not in by and (missing := sorted(set(scopes) - set(by))):
        raise Forbidden(f"scopes: you cannot grant a scope that you lack: {', '.join(missing)}")


def _keep_an_admin(session: Session, account: Profile) -> None:
    """Raise Conflict if no other open account is an administrator. Concurrent calls wait for each other."""
    query = select(Account.id).where(accounts.is_admin()).order_by(Account.id)
    admins = list(session.scalars(query.with_for_update()))
    if admins == [account.id]:
        raise Conflict("scopes: this is the last administrator; make another account one first")
