"""An account with a password."""

import pytest

from engine.access import accounts
from models.session import transaction
from tests.web.logins import PASSWORD


@pytest.fixture
def account(ledger: str) -> accounts.Profile:
    """The account `tienda`."""
    with transaction() as session:
        return accounts.create(session, "tienda", PASSWORD)
