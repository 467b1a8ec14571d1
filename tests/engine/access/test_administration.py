"""Changes of other people's accounts: only own scopes can be granted, and the last administrator stays."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from engine.access import accounts, administration
from errors import Conflict, Forbidden, NotFound
from models import Account, ids
from models.session import transaction


def _account(session: Session, name: str, *scopes: str) -> UUID:
    account = Account(id=ids.new(), name=name, password_hash="!", scopes=list(scopes))
    session.add(account)
    session.flush()
    return account.id


def test_nobody_gives_or_takes_over_more_than_they_hold(session: Session) -> None:
    own = frozenset({"reports", "contacts"})
    admin, other = _account(session, "ana", "admin"), _account(session, "eva", "reports")
    calls: tuple[Callable[[], object], ...] = (
        lambda: administration.create(session, "x", "a long password", ["campaigns"], by=own),
        lambda: administration.set_scopes(session, other, ["reports", "admin"], by=own),
        lambda: administration.set_password(session, admin, "a long password", by=own),
        lambda: administration.close(session, admin, by=own, now=datetime.now(UTC)),
        lambda: administration.end_sessions(session, admin, by=own),
        lambda: administration.reopen(session, admin, by=own),
    )
    for refused in calls:
        with pytest.raises(Forbidden):
            refused()
    assert administration.set_scopes(session, other, ["contacts"], by=own).scopes == {"contacts"}
    with pytest.raises(NotFound):
        administration.end_sessions(session, ids.new(), by=["admin"])


def test_of_two_administrators_who_dismiss_each_other_one_stays(ledger: str) -> None:
    with transaction() as session:
        pair = [_account(session, name, "admin") for name in ("ana", "eva")]

    def dismiss(account_id: UUID) -> bool:
        try:
            with transaction() as session:
                administration.set_scopes(session, account_id, ["reports"], by=["admin"])
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(dismiss, pair)) == [False, True]
    with transaction() as session:
        assert len(accounts.admins(session)) == 1
