"""Verification of bearer tokens; `engine.access.bearer_tokens` issues them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any
from uuid import UUID

import jwt
from flask import Flask, current_app
from flask_jwt_extended import JWTManager, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from engine.access import bearer_tokens
from errors import Unauthenticated
from settings import Settings

TOKEN_CHARS_MAX = 4_096
CLOCK_SKEW_S = 5
_CACHED_MAX = 10_000
_NAME = "cadencia-tokens"
_MALFORMED = (AttributeError, RecursionError, ArithmeticError, OSError)  # the last two by moments out of range


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of a token with a valid signature that has not expired; revocation is checked in the database."""

    token_id: UUID
    account_id: UUID
    kind: str  # "access" or "refresh"
    generation: int
    scopes: frozenset[str]
    issued_at: datetime
    expires_at: datetime
    login: bearer_tokens.Login
    csrf: str = ""  # of a browser session; empty in a bearer token


def install(app: Flask) -> None:
    """Let `app` read tokens."""
    JWTManager(app)


def configure(app: Flask, settings: Settings) -> None:
    """Configure the tokens that `app` accepts: HS256, our issuer and audience, in the Authorization header only."""
    app.config.update(
        JWT_SECRET_KEY=settings.jwt_secret_key.get_secret_value(),
        JWT_ALGORITHM=bearer_tokens.ALGORITHM,
        JWT_TOKEN_LOCATION=("headers",),
        JWT_DECODE_ISSUER=bearer_tokens.ISSUER,
        JWT_DECODE_AUDIENCE=bearer_tokens.AUDIENCE,
        JWT_DECODE_LEEWAY=CLOCK_SKEW_S,  # hosts whose clocks differ a little
    )
    app.extensions[_NAME] = _VerifiedClaims()


def read(encoded: str) -> Claims:
    """Return the claims of a valid token. Raise Unauthenticated, with a message that contains no part of the token."""
    if len(encoded) > TOKEN_CHARS_MAX:
        raise Unauthenticated("token: too long to be one of ours")
    cache: _VerifiedClaims = current_app.extensions[_NAME]
    claims = cache.find(encoded)
    if claims is None:
        claims = _verified(encoded)
        cache.keep(encoded, claims)
    return claims


class _VerifiedClaims:
    """Cache of verified claims by token digest: verifying a signature takes 150 µs a request.

    A signature stays valid for ever. Expiry is checked at every look-up; revocation is checked elsewhere.
    """

    def __init__(self) -> None:
        self._claims: dict[bytes, Claims] = {}

    def find(self, encoded: str) -> Claims | None:
        claims = self._claims.get(_digest(encoded))
        return claims if claims and claims.expires_at.timestamp() > time() else None

    def keep(self, encoded: str, claims: Claims) -> None:
        if len(self._claims) >= _CACHED_MAX:
            self._claims.clear()
        self._claims[_digest(encoded)] = claims


def _digest(encoded: str) -> bytes:
    return hashlib.sha256(encoded.encode("utf-8", "surrogateescape")).digest()


def _verified(encoded: str) -> Claims:
    try:
        decode_token(encoded)  # checks the signature, the times, the issuer and the audience
        return _claims(jwt.decode(encoded, options={"verify_signature": False}))  # as signed: without any default
    except ExpiredSignatureError:
        raise Unauthenticated("token: expired; get a new one at /api/v1/auth/token") from None
    except (PyJWTError, JWTExtendedException, LookupError, ValueError, TypeError, *_MALFORMED):
        # The token is parsed before its signature is checked, so malformed content can raise any of these.
        raise Unauthenticated("token: not valid") from None


def _claims(decoded: dict[str, Any]) -> Claims:
    scopes: Sequence[str] = decoded["scopes"]
    issued_at = decoded["iat"]
    logged_in_at = min(decoded.get("auth_time", issued_at), issued_at)  # older tokens lack auth_time
    return Claims(
        token_id=UUID(decoded["jti"]),
        account_id=UUID(decoded["user_id"]),
        kind=decoded["type"],
        generation=int(decoded["gen"]),
        scopes=frozenset(scopes),
        issued_at=datetime.fromtimestamp(issued_at, UTC),
        expires_at=datetime.fromtimestamp(decoded["exp"], UTC),
        login=bearer_tokens.Login(datetime.fromtimestamp(logged_in_at, UTC), UUID(decoded["family"])),
        csrf=str(decoded.get("csrf", "")),
    )
