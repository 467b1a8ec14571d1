"""Logins as callers make them, and forged tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from flask.testing import FlaskClient

from tests.environment import TEST_ENVIRONMENT
from tests.web.examples import send

PASSWORD = "a password of the tests"
SECRET = TEST_ENVIRONMENT["JWT_SECRET_KEY"]
URL = "/api/v1/emails/send"


def log_in(client: FlaskClient, password: str = PASSWORD, account: str = "tienda", address: str = "127.0.0.1") -> Any:
    """Log in from an address."""
    body = {"account": account, "password": password}
    return client.post("/api/v1/auth/token", json=body, environ_base={"REMOTE_ADDR": address})


def call(client: FlaskClient, token: str) -> Any:
    """Send an e-mail with a token."""
    return client.post(URL, json=send(), headers={"Authorization": f"Bearer {token}"})


def trade(client: FlaskClient, token: str, key: str = "") -> Any:
    """Exchange a refresh token, with an Idempotency-Key if one is given."""
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
    return client.post("/api/v1/auth/refresh", headers=headers)


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of an access token, with changes."""
    now = datetime.now(UTC)
    unchanged = {
        "sub": changes.pop("sub", ""), "iat": now, "exp": now + timedelta(hours=1), "iss": "cadencia",
        "aud": "cadencia", "jti": "00000000-0000-4000-8000-000000000000", "type": "access", "gen": 0,
        "family": "00000000-0000-4000-8000-000000000001", "scopes": ["admin"],
    }  # fmt: skip
    return {**unchanged, "user_id": unchanged["sub"], **changes}


def signed(**changes: Any) -> str:
    """A token with these claims under the right key; a claim that is None is left out."""
    kept = {name: value for name, value in claims(**changes).items() if value is not None}
    kept |= {name: int(value.timestamp()) for name, value in kept.items() if isinstance(value, datetime)}
    return jwt.encode(kept, SECRET, algorithm="HS256")
