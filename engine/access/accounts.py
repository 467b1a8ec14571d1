"""Accounts that may call the API: create, check passwords, disable."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

import errors
from engine.access import passwords, scope_names
from errors import Conflict, Fault, InvalidInput, NotFound, Unauthenticated
from models import Account, ids

PASSWORD_CHARS_MIN = 12
PASSWORD_CHARS_MAX = 1_024
NAME_CHARS_MAX = 100
LANGUAGES = ("es", "en")
THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Profile:
    """An account without its password hash; `language` and `theme` of the pages are the browser's if None."""

    id: UUID
    name: str
    scopes: frozenset[str]
    generation: int
    created_at: datetime
    disabled_at: datetime | None
    language: str | None = None
    theme: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """An account with its password hash."""

    profile: Profile
    password_hash: str


def create(session: Session, name: str, password: str, *, scopes: Sequence[str] = ("send",)) -> Profile:
    """Create an account. Raises InvalidInput for a bad name, password or scope; Conflict if the name is in use."""
    faults = [*_name_faults(name), *_password_faults(password), *_scope_faults(scopes)]
    if faults:
        raise InvalidInput(faults)
    row = {"id": ids.new(), "name": name, "password_hash": passwords.hashed(password), "scopes": sorted(set(scopes))}
    account = session.scalar(insert(Account).values(row).on_conflict_do_nothing().returning(Account))
    if account is None:
        raise Conflict("name: another account has this name; choose another")
    return _profile(account)


def find(session: Session, name: str) -> Proof | None:
    """Return the account with that name and its password hash, or None."""
    account = session.scalar(select(Account).where(Account.name == name))
    return Proof(_profile(account), account.password_hash) if account else None


def get(session: Session, account_id: UUID) -> Profile:
    """Return the account with this id; raises Unauthenticated if it does not exist or is closed."""
    account = session.get(Account, account_id)
    if account is None or account.disabled_at is not None:
        raise Unauthenticated("account: closed")
    return _profile(account)


def check(proof: Proof | None, password: str) -> tuple[Profile, str | None]:
    """Return the account if the password is right, and a hash for `replace_hash` if the stored one is outdated.

    Raises Unauthenticated, and Unavailable while too many passwords are checked. Takes some 50 ms, also for a name
    that does not exist; call it outside a transaction.
    """
    right, better_hash = passwords.check(proof.password_hash if proof else passwords.decoy(), password)
    if not right or proof is None or proof.profile.disabled_at is not None:
        raise Unauthenticated("account or password: wrong")
    return proof.profile, better_hash


def replace_hash(session: Session, proof: Proof, better_hash: str) -> None:
    """Store another hash of the same password, unless the password was changed meanwhile. No token ends."""
    unchanged = (Account.id == proof.profile.id) & (Account.password_hash == proof.password_hash)
    session.execute(update(Account).where(unchanged).values(password_hash=better_hash))


def listing(session: Session) -> list[Profile]:
    """Return all accounts, ordered by name."""
    return [_profile(account) for account in session.scalars(select(Account).order_by(Account.name))]


def admins(session: Session, *, limit: int = 5) -> list[str]:
    """Return the names of accounts that may grant permissions, ordered by name."""
    is_admin = Account.disabled_at.is_(None) & Account.scopes.contains(["admin"])
    return list(session.scalars(select(Account.name).where(is_admin).order_by(Account.name).limit(limit)))


def disable(session: Session, name: str, *, now: datetime) -> Profile:
    """Close the account; it gets no new tokens, and its tokens stop working. Safe to repeat. Raises NotFound."""
    closed = update(Account).where(Account.name == name).values(disabled_at=func.coalesce(Account.disabled_at, now))
    account = session.scalar(closed.returning(Account))
    if account is None:
        raise unknown(session, name)
    return _profile(account)


def set_password(session: Session, name: str, password: str) -> Profile:
    """Set a new password; all earlier tokens stop working. Raises InvalidInput, NotFound."""
    faults = _password_faults(password)
    if faults:
        raise InvalidInput(faults)
    account = session.scalar(
        update(Account)
        .where(Account.name == name)
        .values(password_hash=passwords.hashed(password), generation=Account.generation + 1)
        .returning(Account)
    )
    if account is None:
        raise unknown(session, name)
    return _profile(account)


def set_preferences(session: Session, account_id: UUID, *, language: str | None, theme: str | None) -> None:
    """Set the language and theme of the pages; None for the browser's own. Raises InvalidInput."""
    faults = [] if language in (None, *LANGUAGES) else [Fault("language", f"give one of {', '.join(LANGUAGES)}")]
    faults += [] if theme in (None, *THEMES) else [Fault("theme", f"give one of {', '.join(THEMES)}")]
    if faults:
        raise InvalidInput(faults)
    session.execute(update(Account).where(Account.id == account_id).values(language=language, theme=theme))


def _profile(account: Account) -> Profile:
    return Profile(
        account.id,
        account.name,
        frozenset(account.scopes),
        account.generation,
        account.created_at,
        account.disabled_at,
        account.language,
        account.theme,
    )


def unknown(session: Session, name: str) -> NotFound:
    """Return the error for a name that no account has, with the nearest one. For operators: it lists the names."""
    return NotFound(f"account: {errors.unknown(name, session.scalars(select(Account.name).order_by(Account.name)))}")


def _name_faults(name: str) -> list[Fault]:
    if 0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and name == name.strip():
        return []
    return [Fault("name", f"give 1 to {NAME_CHARS_MAX} printable characters without a space at either end")]


def _password_faults(password: str) -> list[Fault]:
    if PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        return []
    return [Fault("password", f"give {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")]


def _scope_faults(scopes: Sequence[str]) -> list[Fault]:
    unknown = sorted(set(scopes) - set(scope_names.ALL))
    if unknown:
        return [Fault("scopes", errors.unknown(unknown[0], scope_names.ALL))]
    if scopes:
        return []
    return [Fault("scopes", f"give one or more of {', '.join(scope_names.ALL)}")]
