"""Accounts: who may call the API, and what for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.access import scope_names
from errors import Conflict, Fault, InvalidInput, NotFound, Unauthenticated
from models import Account, ids

PASSWORD_CHARS_MIN = 12
PASSWORD_CHARS_MAX = 1_024
NAME_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class Profile:
    """What others may know of an account."""

    id: UUID
    name: str
    scopes: frozenset[str]
    generation: int
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Proof:
    """An account with what its password is checked against."""

    profile: Profile
    password_hash: str


def create(session: Session, name: str, password: str, *, scopes: Sequence[str] = ("send",)) -> Profile:
    """A new account. InvalidInput for a bad name, password or scope; Conflict when the name is taken."""
    faults = [*_name_faults(name), *_password_faults(password), *_scope_faults(scopes)]
    if faults:
        raise InvalidInput(faults)
    row = {"id": ids.new(), "name": name, "password_hash": _hasher().hash(password), "scopes": sorted(set(scopes))}
    made = session.scalar(insert(Account).values(row).on_conflict_do_nothing().returning(Account))
    if made is None:
        raise Conflict("name: taken by another account; choose another")
    return _profile(made)


def find(session: Session, name: str) -> Proof | None:
    """The account of that name, with what `check` needs."""
    found = session.scalar(select(Account).where(Account.name == name))
    return Proof(_profile(found), found.password_hash) if found else None


def get(session: Session, account_id: UUID) -> Profile:
    """The account with this id; Unauthenticated when it is gone or closed."""
    found = session.get(Account, account_id)
    if found is None or found.disabled_at is not None:
        raise Unauthenticated("account: closed")
    return _profile(found)


def check(proof: Proof | None, password: str) -> Profile:
    """The account, or Unauthenticated. Some 100 ms of work, as long for a name that does not exist: call it
    outside a transaction."""
    try:
        _hasher().verify(proof.password_hash if proof else _decoy(), password)
    except (VerificationError, InvalidHashError):
        raise Unauthenticated("account or password: not right") from None
    if proof is None or proof.profile.disabled_at is not None:
        raise Unauthenticated("account or password: not right")
    return proof.profile


def listing(session: Session) -> list[Profile]:
    """Every account, by name."""
    return [_profile(account) for account in session.scalars(select(Account).order_by(Account.name))]


def disable(session: Session, name: str, *, now: datetime) -> Profile:
    """Close the account: no new tokens, and the ones it has stop working. Safe to repeat; NotFound if unknown."""
    closed = update(Account).where(Account.name == name).values(disabled_at=func.coalesce(Account.disabled_at, now))
    account = session.scalar(closed.returning(Account))
    if account is None:
        raise NotFound("account: there is none of that name")
    return _profile(account)


def set_password(session: Session, name: str, password: str) -> Profile:
    """A new password; every token made before it stops working. InvalidInput, or NotFound if unknown."""
    faults = _password_faults(password)
    if faults:
        raise InvalidInput(faults)
    changed = session.scalar(
        update(Account)
        .where(Account.name == name)
        .values(password_hash=_hasher().hash(password), generation=Account.generation + 1)
        .returning(Account)
    )
    if changed is None:
        raise NotFound("account: there is none of that name")
    return _profile(changed)


def _profile(account: Account) -> Profile:
    return Profile(
        account.id,
        account.name,
        frozenset(account.scopes),
        account.generation,
        account.created_at,
        account.disabled_at,
    )


def _name_faults(name: str) -> list[Fault]:
    if 0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and name == name.strip():
        return []
    return [Fault("name", f"1 to {NAME_CHARS_MAX} printable characters, no space at either end")]


def _password_faults(password: str) -> list[Fault]:
    if PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        return []
    return [Fault("password", f"{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters are needed")]


def _scope_faults(scopes: Sequence[str]) -> list[Fault]:
    if scopes and set(scopes) <= set(scope_names.ALL):
        return []
    return [Fault("scopes", f"one or more of {', '.join(scope_names.ALL)}")]


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    return PasswordHasher()  # Argon2id with the parameters of RFC 9106, section 4


@lru_cache(maxsize=1)
def _decoy() -> str:
    """A hash no password fits, so that an unknown name takes as long as a known one."""
    return _hasher().hash(ids.new().hex)
