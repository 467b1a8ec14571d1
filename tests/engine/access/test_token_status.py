"""Revocation on a real database, also by several exchanges at once."""

import threading
from datetime import UTC, datetime, timedelta

from engine.access import accounts, sessions, token_status
from models import ids
from models.session import transaction

LATER = datetime.now(UTC) + timedelta(days=30)


def account() -> accounts.Profile:
    with transaction() as session:
        return accounts.create(session, "tienda", "a password of the tests")


def test_a_token_is_valid_until_it_or_its_family_is_revoked(ledger: str) -> None:
    owner = account()
    token, other, family = ids.new(), ids.new(), ids.new()
    with transaction() as session:
        status = token_status.get(session, owner.id, (token, family))
        assert status == token_status.TokenStatus(frozenset({"send"}), 0)
        assert sessions.account(session, owner.id, (token, family)) == owner
        token_status.revoke(session, [token], account_id=owner.id, expires_at=LATER)
        token_status.revoke(session, [token], account_id=owner.id, expires_at=LATER)
        assert token_status.get(session, owner.id, (token, family)) is None
        assert sessions.account(session, owner.id, (token, family)) is None
        assert token_status.get(session, owner.id, (other, family)) is not None
        token_status.revoke(session, [family], account_id=owner.id, expires_at=LATER)
        assert token_status.get(session, owner.id, (other, family)) is None


def test_a_closed_or_missing_account_has_no_status(ledger: str) -> None:
    owner = account()
    with transaction() as session:
        assert token_status.get(session, ids.new(), (ids.new(),)) is None
        accounts.disable(session, "tienda", now=datetime.now(UTC))
        assert token_status.get(session, owner.id, (ids.new(),)) is None
        assert sessions.account(session, owner.id, (ids.new(),)) is None


def test_only_one_of_ten_exchanges_at_once_succeeds(ledger: str) -> None:
    owner, token = account(), ids.new()
    start, firsts = threading.Barrier(10), []

    def trade() -> None:
        start.wait()
        with transaction() as session:
            firsts.append(
                token_status.use_up(session, token, account_id=owner.id, expires_at=LATER, successor_id=ids.new())
            )

    threads = [threading.Thread(target=trade) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == [False] * 9 + [True]
