"""Bearer tokens: signed JSON Web Tokens (RFC 7519) for an account."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import jwt

import settings
from engine.access import accounts
from models import ids

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "cadencia"
SESSION_IDLE = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Login:
    """One login: all tokens that follow from it have its `family_id`, and none lasts longer than SESSION_DAYS."""

    at: datetime
    family_id: UUID = field(default_factory=ids.new)

    @property
    def ends_at(self) -> datetime:
        """Return the moment at which no token is exchanged for another any more."""
        return self.at + timedelta(days=settings.current().session_days)


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token, and the refresh token that is exchanged for the next pair."""

    access: str
    refresh: str
    expires_in_s: int


def issue(
    account: accounts.Profile,
    *,
    now: datetime,
    login: Login | None = None,
    refresh_id: UUID | None = None,
    lasting: timedelta | None = None,
) -> Pair:
    """Return a pair of tokens for `account`, of a new login or of `login`; `refresh_id` is the refresh token's id.

    The access token lasts TOKEN_HOURS, at most as long as the session, or exactly `lasting`.
    """
    configured = settings.current()
    login = login or Login(now)
    access_ends = now + lasting if lasting else min(now + timedelta(hours=configured.token_hours), login.ends_at)
    refresh_ends = min(now + timedelta(days=configured.refresh_days), login.ends_at)
    common = {**_claims(account, login), "iat": now}
    access = _signed({**common, "type": "access", "jti": str(ids.new()), "exp": access_ends})
    refresh = _signed({**common, "type": "refresh", "jti": str(refresh_id or ids.new()), "exp": refresh_ends})
    return Pair(access, refresh, int((access_ends - now).total_seconds()))


def issue_session(account: accounts.Profile, *, now: datetime, login: Login | None = None) -> str:
    """Return the token of a browser session, which lasts SESSION_IDLE, at most as long as its login.

    Its `csrf` claim is repeated by every form of a page (double submit); a bearer token has none.
    """
    login = login or Login(now)
    ends = min(now + SESSION_IDLE, login.ends_at)
    claims = {**_claims(account, login), "iat": now, "exp": ends, "type": "access", "jti": str(ids.new())}
    return _signed({**claims, "csrf": secrets.token_urlsafe(16)})


def successor_id(refresh_id: UUID, key: str) -> UUID:
    """Return the id of the refresh token that replaces this one; with the same idempotency key always the same id."""
    if not key:
        return ids.new()
    digest = hmac.digest(_secret().encode(), f"successor {refresh_id} {key}".encode(), hashlib.sha256)
    return UUID(bytes=digest[:16])


def _claims(account: accounts.Profile, login: Login) -> dict[str, object]:
    """Return the claims that both tokens have. flask-jwt-extended reads `type`, `fresh` and `jti`."""
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(account.id),
        "auth_time": int(login.at.timestamp()),  # as in OpenID Connect Core 1.0, section 2
        "fresh": False,
        "user_id": str(account.id),
        "scopes": sorted(account.scopes),
        "gen": account.generation,
        "family": str(login.family_id),
    }


def _signed(claims: dict[str, object]) -> str:
    return jwt.encode(claims, _secret(), ALGORITHM)


def _secret() -> str:
    return settings.current().jwt_secret_key.get_secret_value()
