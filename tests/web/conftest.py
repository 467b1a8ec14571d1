"""The application on a fresh ledger, and callers with the scopes a test gives them."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import web
from engine.access import accounts, bearer_tokens
from models import Account
from models.session import transaction

_numbers = count(1)
Call = Callable[..., Any]


@pytest.fixture
def app(ledger: str) -> Flask:
    """The application, pointed at a fresh ledger."""
    return web.create_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client without a token."""
    return app.test_client()


def holder(*scopes: str) -> accounts.Profile:
    """An account with these scopes, whose password nobody knows (hashing one takes 100 ms)."""
    with transaction() as session:
        session.add(Account(name=f"caller {next(_numbers):06}", password_hash="!", scopes=list(scopes)))
    with transaction() as session:
        return accounts.listing(session)[-1]


@pytest.fixture
def bearer(app: Flask) -> Callable[..., dict[str, str]]:
    """Makes the headers of a caller with the scopes given."""

    def headers(*scopes: str) -> dict[str, str]:
        token = bearer_tokens.issue(holder(*scopes), now=datetime.now(UTC)).access
        return {"Authorization": f"Bearer {token}"}

    return headers


@pytest.fixture
def sender(bearer: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The headers of a caller who may send."""
    return bearer("send")
