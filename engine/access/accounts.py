"""Accounts that may call the API and use the pages: create, check passwords, change, disable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

import errors
from engine.access import passwords, scope_names
from engine.audience import zones
from errors import Conflict, Fault, InvalidInput, NotFound, Unauthenticated
from models import Account, ids

PASSWORD_CHARS_MIN = 12
PASSWORD_CHARS_MAX = 1_024
NAME_CHARS_MAX = 100
LANGUAGES = ("es", "en")
THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Profile:
    """An account without its password hash, and its preferences on pages.

    None stands for the browser's own `language` or `theme`, and for UTC as the time zone.
    """

    id: UUID
    name: str
    scopes: frozenset[str]
    generation: int
    created_at: datetime
    disabled_at: datetime | None
    language: str | None = None
    theme: str | None = None
    timezone: str | None = None


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


def listing(session: Session, *, after: str = "", limit: int | None = None) -> list[Profile]:
    """Return the accounts behind the name `after`, ordered by name."""
    ordered = select(Account).where(Account.name > after).order_by(Account.name).limit(limit)
    return [_profile(account) for account in session.scalars(ordered)]


def of_id(session: Session, account_id: UUID) -> Profile:
    """Return the account with this id, also a closed one; raises NotFound."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("account: there is none with this id")
    return _profile(account)


def set_scopes(session: Session, name: str, scopes: Sequence[str]) -> Profile:
    """Replace the scopes of an account. Raises InvalidInput, NotFound.

    Sessions of pages have them at once, tokens within seconds; a token has no scope that its account lacks.
    """
    if faults := _scope_faults(scopes):
        raise InvalidInput(faults)
    return _updated(session, name, {"scopes": sorted(set(scopes))})


def reopen(session: Session, name: str) -> Profile:
    """Open a closed account again; its earlier tokens stay ended. Safe to repeat. Raises NotFound."""
    is_closed = case((Account.disabled_at.is_not(None), 1), else_=0)
    return _updated(session, name, {"generation": Account.generation + is_closed, "disabled_at": None})


def end_sessions(session: Session, name: str) -> Profile:
    """End all sessions and tokens of an account; the password stays. Raises NotFound."""
    return _updated(session, name, {"generation": Account.generation + 1})


def _updated(session: Session, name: str, values: Mapping[str, Any]) -> Profile:
    account = session.scalar(update(Account).where(Account.name == name).values(values).returning(Account))
    if account is None:
        raise unknown(session, name)
    return _profile(account)


def is_admin() -> ColumnElement[bool]:
    """Return the condition that an account is open and may do everything."""
    return Account.disabled_at.is_(None) & Account.scopes.contains([scope_names.ADMIN])


def admins(session: Session, *, limit: int = 5) -> list[str]:
    """Return the names of accounts that may grant permissions, ordered by name."""
    return list(session.scalars(select(Account.name).where(is_admin()).order_by(Account.name).limit(limit)))


def disable(session: Session, name: str, *, now: datetime) -> Profile:
    """Close the account; it gets no new tokens, and its tokens stop working. Safe to repeat. Raises NotFound."""
    return _updated(session, name, {"disabled_at": func.coalesce(Account.disabled_at, now)})


def set_password(session: Session, name: str, password: str) -> Profile:
    """Set a new password; all earlier tokens stop working. Raises InvalidInput, NotFound."""
    if faults := _password_faults(password):
        raise InvalidInput(faults)
    values = {"password_hash": passwords.hashed(password), "generation": Account.generation + 1}
    return _updated(session, name, values)


def set_preferences(
    session: Session, account_id: UUID, *, language: str | None, theme: str | None, timezone: str | None
) -> None:
    """Set language, theme and time zone of the pages; None for the browser's own, or UTC. Raises InvalidInput."""
    faults = [] if language in (None, *LANGUAGES) else [Fault("language", f"give one of {', '.join(LANGUAGES)}")]
    faults += [] if theme in (None, *THEMES) else [Fault("theme", f"give one of {', '.join(THEMES)}")]
    faults += [] if timezone is None or zones.exists(timezone) else [Fault("timezone", zones.fault(timezone))]
    if faults:
        raise InvalidInput(faults)
    values = {"language": language, "theme": theme, "timezone": timezone}
    session.execute(update(Account).where(Account.id == account_id).values(values))


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
        account.timezone,
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
