"""Bearer tokens: signed JSON Web Tokens (RFC 7519) for an account."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import jwt

import settings
from engine.access import accounts
from models import ids

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "cadencia"


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token, and the refresh token that is exchanged for the next pair."""

    access: str
    refresh: str
    expires_in_s: int


def issue(
    account: accounts.Profile, *, now: datetime, family_id: UUID | None = None, lasting: timedelta | None = None
) -> Pair:
    """Return a pair of tokens for `account`. The access token lasts TOKEN_HOURS, or `lasting`.

    `family_id` ties the pair to the one it replaces, so that all of a family can be revoked together.
    """
    configured = settings.current()
    lasting = lasting or timedelta(hours=configured.token_hours)
    family_id = family_id or ids.new()
    access = _signed(account, "access", family_id, now, lasting)
    refresh = _signed(account, "refresh", family_id, now, timedelta(days=configured.refresh_days))
    return Pair(access, refresh, int(lasting.total_seconds()))


def _signed(account: accounts.Profile, kind: str, family_id: UUID, now: datetime, lasting: timedelta) -> str:
    """Return one token. `type`, `fresh` and `jti` are the claims that flask-jwt-extended reads."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(account.id),
        "iat": now,
        "exp": now + lasting,
        "jti": str(ids.new()),
        "type": kind,
        "fresh": False,
        "user_id": str(account.id),
        "scopes": sorted(account.scopes),
        "gen": account.generation,
        "family": str(family_id),
    }
    return jwt.encode(claims, settings.current().jwt_secret_key.get_secret_value(), ALGORITHM)
