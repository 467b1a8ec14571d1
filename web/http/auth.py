"""Who may call what: every route states it, and one place enforces it before anything of the request is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from flask import Flask, current_app, g, request

from errors import Forbidden, Unauthenticated
from web import process
from web.http import tokens

View = TypeVar("View", bound=Callable[..., Any])

_MARK = "__access__"


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of its caller: one of `scopes` (none: any account), or nothing, for the reason in `public`."""

    scopes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("access",)
    public: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind this request, what it may do, and the token that said so."""

    account_id: UUID
    scopes: frozenset[str]
    claims: tokens.Claims

    def may(self, scope: str) -> bool:
        """Whether the caller has `scope`; `admin` has them all."""
        return scope in self.scopes or "admin" in self.scopes


def needs(*scopes: str, kinds: tuple[str, ...] = ("access",)) -> Callable[[View], View]:
    """The view is for accounts that have one of `scopes`; with none given, for every account.

    `kinds` are the kinds of token it takes: "access", "refresh" or both.
    """
    return _marking(Access(scopes=scopes, kinds=kinds))


def public(why: str) -> Callable[[View], View]:
    """The view is for everyone, for the reason given."""
    return _marking(Access(public=why))


def access_of(view: Callable[..., Any]) -> Access | None:
    """What the view states, or None if it states nothing."""
    return getattr(view, _MARK, None)


def caller() -> Caller:
    """The caller of this request; only in views that have `needs`."""
    known: Caller = g.caller
    return known


def install(app: Flask) -> None:
    """Let nobody past a route's statement."""
    app.before_request(_admit)


def check_routes(app: Flask) -> None:
    """Raise RuntimeError when a route states no access, so that a forgotten one never goes live."""
    silent = sorted(name for name, view in app.view_functions.items() if access_of(view) is None)
    if silent:
        raise RuntimeError(f"routes without @needs or @public: {', '.join(silent)}")


def _marking(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        setattr(view, _MARK, access)
        return view

    return mark


def _admit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    access = access_of(view) if view else None
    if access is None or access.public or request.method == "OPTIONS":
        return
    found = _identify(access.kinds)
    if access.scopes and not any(found.may(scope) for scope in access.scopes):
        raise Forbidden(f"scope: this needs {' or '.join(access.scopes)}, which the token does not have")
    g.caller = found


def _identify(kinds: tuple[str, ...]) -> Caller:
    claims = tokens.read(_bearer())
    if claims.kind not in kinds:
        raise Unauthenticated(f"token: is of the {claims.kind} kind; this takes {' or '.join(kinds)}")
    standing = process.current().standings.of(claims.token_id, claims.family_id, claims.account_id)
    if standing is None or standing.generation != claims.generation:
        raise Unauthenticated("token: revoked, or its account is closed")
    return Caller(claims.account_id, _both(standing.scopes, claims.scopes), claims)


def _both(account: frozenset[str], token: frozenset[str]) -> frozenset[str]:
    """What the account may do and the token says; `admin` on either side stands for all scopes."""
    if "admin" in account:
        return token
    return account if "admin" in token else account & token


def _bearer() -> str:
    """The token of the Authorization header (RFC 6750, section 2.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Authorization: send the header `Authorization: Bearer <token>`")
    return token.strip()
