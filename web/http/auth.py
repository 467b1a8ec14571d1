"""Access control: every route declares its access; one hook enforces it before the request body is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from flask import Flask, current_app, g, request

from engine.access import accounts
from errors import Forbidden, Unauthenticated
from models.session import transaction
from settings import Settings
from web import process
from web.http import rate_limits, tokens

View = TypeVar("View", bound=Callable[..., Any])

_ACCESS = "__access__"


@dataclass(frozen=True, slots=True)
class Access:
    """Access that a route declares: one of `scopes` (empty: any account), or public for the reason in `public`."""

    scopes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("access",)
    public: str = ""
    identify: Callable[["Access"], "Caller"] | None = None  # by something else than a bearer token
    changes: bool = False  # a page that changes state: only by POST, with the session's `csrf` value
    confirm: Callable[[], None] | None = None  # read and check the form of a caller who has a scope


@dataclass(frozen=True, slots=True)
class Caller:
    """Account that makes this request, its effective scopes, and the claims of its token."""

    account_id: UUID
    scopes: frozenset[str]
    claims: tokens.Claims

    def may(self, scope: str) -> bool:
        """Return True if the caller has `scope`; `admin` includes all scopes."""
        return scope in self.scopes or "admin" in self.scopes


def needs(*scopes: str, kinds: tuple[str, ...] = ("access",)) -> Callable[[View], View]:
    """Declare that the view requires an account with one of `scopes`; without scopes, any account.

    `kinds` are the accepted kinds of token: "access", "refresh" or both.
    """
    return declaring(Access(scopes=scopes, kinds=kinds))


def public(why: str) -> Callable[[View], View]:
    """Declare that the view is open to everyone, for this reason."""
    return declaring(Access(public=why))


def access_of(view: Callable[..., Any]) -> Access | None:
    """Return the access that the view declares; None if it declares none."""
    return getattr(view, _ACCESS, None)


def caller() -> Caller:
    """Return the caller of this request. Only valid in views declared with `needs`."""
    current: Caller = g.caller
    return current


def log_in(name: str, password: str) -> accounts.Profile:
    """Return the account with this name and password.

    Raises Unauthenticated; TooOften, by network and by account; Unavailable while too many passwords are checked.
    """
    with rate_limits.login(name):
        with transaction() as session:
            proof = accounts.find(session, name)
        account, better_hash = accounts.check(proof, password)
    if proof and better_hash:
        with transaction() as session:
            accounts.replace_hash(session, proof, better_hash)
    return account


def install(app: Flask) -> None:
    """Enforce the declared access before every request of `app`."""
    tokens.install(app)
    app.before_request(_enforce)


def configure(app: Flask, settings: Settings) -> None:
    """Configure the tokens that `app` accepts."""
    tokens.configure(app, settings)


def missing_scope(scopes: Sequence[str]) -> str:
    """Return the message for a token that has none of these scopes."""
    return f"scope: this needs {' or '.join(scopes)}, which the token does not have"


def check_routes(app: Flask) -> None:
    """Raise RuntimeError if a route declares no access, so that an unprotected route cannot be deployed."""
    undeclared = sorted(name for name, view in app.view_functions.items() if access_of(view) is None)
    if undeclared:
        raise RuntimeError(f"routes without @needs or @public: {', '.join(undeclared)}")


def declaring(access: Access) -> Callable[[View], View]:
    """Return a decorator that declares this access of a view."""

    def declare(view: View) -> View:
        setattr(view, _ACCESS, access)
        return view

    return declare


def _enforce() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    access = access_of(view) if view else None
    if access is None or access.public or request.method == "OPTIONS":
        return
    g.caller = identified = (access.identify or _identify)(access)
    if access.scopes and not any(identified.may(scope) for scope in access.scopes):
        raise Forbidden(missing_scope(access.scopes))
    if access.confirm is not None:
        access.confirm()


def _identify(access: Access) -> Caller:
    claims = tokens.read(_bearer())
    if claims.csrf:
        raise Unauthenticated("token: is of a browser session; get another one at /api/v1/auth/token")
    if claims.kind not in access.kinds:
        raise Unauthenticated(f"token: is of the {claims.kind} kind; this takes {' or '.join(access.kinds)}")
    # A refresh token that was exchanged must reach /auth/refresh, which ends its whole session.
    family_id = claims.login.family_id
    token_id = family_id if claims.kind == "refresh" else claims.token_id
    status = process.current().token_cache.of(token_id, family_id, claims.account_id)
    if status is None or status.generation != claims.generation:
        raise Unauthenticated("token: revoked, or its account is closed")
    return Caller(claims.account_id, intersection(status.scopes, claims.scopes), claims)


def intersection(account: frozenset[str], token: frozenset[str]) -> frozenset[str]:
    """Return the intersection of both sets of scopes; `admin` on either side stands for all scopes."""
    if "admin" in account:
        return token
    return account if "admin" in token else account & token


def _bearer() -> str:
    """Return the bearer token of the Authorization header (RFC 6750, section 2.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Authorization: send the header `Authorization: Bearer <token>`")
    return token.strip()
