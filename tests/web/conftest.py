"""The application on a fresh ledger, and callers with the scopes a test gives them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from engine.access import accounts, bearer_tokens
from models import Account
from models.session import transaction
from tests.web import applications
from web.ingest.view_counter import ViewCounter

_numbers = count(1)
Call = Callable[..., Any]


@pytest.fixture
def app(ledger: str) -> Iterator[Flask]:
    """The application, pointed at a fresh ledger."""
    made = applications.create()
    yield made
    for extension in made.extensions.values():  # else the thread that stores views finds another test's environment
        counter = getattr(extension, "visits", extension)
        if isinstance(counter, ViewCounter):
            counter.flush()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client without a token."""
    return app.test_client()


def holder(*scopes: str) -> accounts.Profile:
    """An account with these scopes, whose password nobody knows (hashing one takes 100 ms)."""
    name = f"caller {next(_numbers):06}"
    with transaction() as session:
        session.add(Account(name=name, password_hash="!", scopes=list(scopes)))
    with transaction() as session:
        return next(each for each in accounts.listing(session) if each.name == name)


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
