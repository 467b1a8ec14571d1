"""Limits of logins: by network, by account with back-off, and by the hashes at once; the same for unknown names."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.access import accounts, passwords
from models.session import transaction
from tests.conftest import environment
from tests.web import applications
from tests.web.logins import PASSWORD, call, log_in
from web.http.rate_limits import BACK_OFF_MAX_S, FREE_FAILURES

HOME, STRANGER = "198.51.100.7", "203.0.113.7"


@pytest.fixture
def limits(valkey: Any) -> Iterator[Any]:
    """The shared store of limits, empty; its keys end as time would end them."""
    with redis.Redis.from_url(valkey.url) as store:
        store.flushdb()
        yield store


@pytest.fixture
def clients(limits: Any, valkey: Any, account: accounts.Profile) -> Iterator[list[FlaskClient]]:
    """Clients of two web processes that share their limits."""
    with environment(RATE_LIMIT_STORAGE_URL=valkey.url, LOGIN_RATE="30 per minute"):
        yield [applications.create().test_client() for _ in range(2)]


def guesses(clients: list[FlaskClient], count: int, name: str = "tienda") -> list[Any]:
    """Wrong passwords for one account, in turn from five addresses and by all processes."""
    return [
        log_in(clients[number % len(clients)], "a wrong password", name, f"203.0.113.{number % 5}")
        for number in range(count)
    ]


def wait(limits: Any) -> None:
    """Let the back-off of this moment end."""
    for gate in limits.scan_iter("*:gate"):
        limits.delete(gate)


def test_forty_guesses_from_five_addresses_stop_after_the_first_few(clients: list[FlaskClient]) -> None:
    answers = guesses(clients, 40)
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {401, 429}
    assert FREE_FAILURES <= statuses[401] <= FREE_FAILURES + 4
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 429)


def test_the_limits_of_an_unknown_name_are_the_same(clients: list[FlaskClient], limits: Any) -> None:
    known = [answer.status_code for answer in guesses(clients, FREE_FAILURES + 2)]
    unknown = [answer.status_code for answer in guesses(clients, FREE_FAILURES + 2, "nobody")]
    assert known == unknown == [401] * (FREE_FAILURES + 1) + [429]


def test_the_back_off_doubles_up_to_five_minutes(clients: list[FlaskClient], limits: Any) -> None:
    guesses(clients, FREE_FAILURES)
    waits = []
    for _ in range(10):
        wait(limits)
        passed, refused = guesses(clients, 2)
        assert (passed.status_code, refused.status_code) == (401, 429)
        waits.append(int(refused.headers["Retry-After"]))
    for expected, measured in zip([2, 4, 8, 16, 32, 64, 128, 256, 300, 300], waits, strict=True):
        assert expected / 2 <= measured <= expected <= BACK_OFF_MAX_S


def test_strangers_lock_no_one_out_of_a_network_that_logged_in_before(clients: list[FlaskClient]) -> None:
    client = clients[0]
    assert log_in(client, address=HOME).status_code == 200
    guesses(clients, 20)
    assert log_in(client, address=STRANGER).status_code == 429
    assert [log_in(client, address=HOME).status_code for _ in range(FREE_FAILURES + 3)] == [200] * (FREE_FAILURES + 3)


def test_a_known_network_has_a_back_off_of_its_own_that_a_success_ends(clients: list[FlaskClient], limits: Any) -> None:
    client = clients[0]
    log_in(client, address=HOME)
    for _ in range(FREE_FAILURES + 1):
        assert log_in(client, "wrong", address=HOME).status_code == 401
    assert log_in(client, address=HOME).status_code == 429
    wait(limits)
    assert log_in(client, address=HOME).status_code == 200
    assert [log_in(client, "wrong", address=HOME).status_code for _ in range(FREE_FAILURES)] == [401] * FREE_FAILURES
    assert log_in(client, address=STRANGER).status_code == 200


def test_after_the_wait_the_right_password_passes_from_anywhere(clients: list[FlaskClient], limits: Any) -> None:
    guesses(clients, 20)
    assert log_in(clients[0], address=STRANGER).status_code == 429
    wait(limits)
    assert log_in(clients[0], address=STRANGER).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1:4711", "192.0.2.1:4712", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("[2001:db8:1:2::1]:4711", "2001:db8:1:2::5%eth0", True),
        ("unknown", "_hidden", True),
    ],
)
def test_attempts_are_limited_by_network(ledger: str, first: str, second: str, is_one: bool) -> None:
    with environment(LOGIN_RATE="1 per minute"):
        client = applications.create().test_client()
    limited = [log_in(client, "x", name, address) for name, address in (("a", first), ("b", first), ("c", second))]
    assert [answer.status_code for answer in limited] == [401, 429, 429 if is_one else 401]
    assert 0 < int(limited[1].headers["Retry-After"]) <= 60
    assert limited[1].content_type == "application/problem+json"


def test_more_than_two_checks_at_once_are_503_and_count_for_nothing(clients: list[FlaskClient]) -> None:
    with passwords.slot(), passwords.slot():
        busy = [log_in(clients[0], name) for name in (PASSWORD, "wrong") for _ in range(FREE_FAILURES + 1)]
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in busy} == {(503, "2")}
    assert log_in(clients[0]).status_code == 200


def test_an_outage_of_the_database_counts_for_nothing(clients: list[FlaskClient]) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        away = [log_in(clients[0]).status_code for _ in range(FREE_FAILURES + 2)]
    assert set(away) == {503}
    assert log_in(clients[0]).status_code == 200


def test_the_back_off_holds_in_a_process_that_cannot_reach_redis(account: accounts.Profile) -> None:
    with environment(RATE_LIMIT_STORAGE_URL="redis://127.0.0.1:9/0"):
        client = applications.create().test_client()
    assert guesses([client], FREE_FAILURES + 2)[-1].status_code == 429


def test_the_store_of_limits_holds_no_name_and_no_address(clients: list[FlaskClient], limits: Any) -> None:
    guesses(clients, FREE_FAILURES + 2)
    log_in(clients[0], account="nobody", address=HOME)
    stored = b" ".join(limits.scan_iter())
    assert stored and not any(part in stored for part in (b"tienda", b"nobody", b"203.0.113", b"198.51"))


def test_a_login_replaces_a_hash_with_outdated_parameters(client: FlaskClient, account: accounts.Profile) -> None:
    token = log_in(client).json["access_token"]
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    with transaction() as session:
        session.execute(text("UPDATE accounts SET password_hash = :weak"), {"weak": weak})
    assert log_in(client, "wrong").status_code == 401
    assert stored_hash() == weak
    assert log_in(client).status_code == 200
    assert stored_hash() != weak and passwords.check(stored_hash(), PASSWORD) == (True, None)
    assert log_in(client).status_code == 200
    assert call(client, token).status_code == 202


def stored_hash() -> str:
    with transaction() as session:
        proof = accounts.find(session, "tienda")
    assert proof is not None
    return proof.password_hash
