"""Revocation on a real ledger: what is revoked, by whom, and two trades at once."""

import threading
from datetime import UTC, datetime, timedelta

from engine.access import accounts, sessions
from models import ids
from models.session import transaction

LATER = datetime.now(UTC) + timedelta(days=30)


def account() -> accounts.Profile:
    with transaction() as session:
        return accounts.create(session, "tienda", "a password of the tests")


def test_a_token_counts_until_it_or_its_family_is_revoked(ledger: str) -> None:
    owner = account()
    token, other, family = ids.new(), ids.new(), ids.new()
    with transaction() as session:
        standing = sessions.standing(session, owner.id, (token, family))
        assert standing == sessions.Standing(frozenset({"send"}), 0)
        sessions.revoke(session, [token], account_id=owner.id, expires_at=LATER)
        sessions.revoke(session, [token], account_id=owner.id, expires_at=LATER)
        assert sessions.standing(session, owner.id, (token, family)) is None
        assert sessions.standing(session, owner.id, (other, family)) is not None
        sessions.revoke(session, [family], account_id=owner.id, expires_at=LATER)
        assert sessions.standing(session, owner.id, (other, family)) is None


def test_an_account_that_is_gone_or_closed_has_no_standing(ledger: str) -> None:
    owner = account()
    with transaction() as session:
        assert sessions.standing(session, ids.new(), (ids.new(),)) is None
        accounts.disable(session, "tienda", now=datetime.now(UTC))
        assert sessions.standing(session, owner.id, (ids.new(),)) is None


def test_of_ten_trades_at_once_one_is_the_first(ledger: str) -> None:
    owner, token = account(), ids.new()
    start, firsts = threading.Barrier(10), []

    def trade() -> None:
        start.wait()
        with transaction() as session:
            firsts.append(sessions.use_up(session, token, account_id=owner.id, expires_at=LATER))

    threads = [threading.Thread(target=trade) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == [False] * 9 + [True]
