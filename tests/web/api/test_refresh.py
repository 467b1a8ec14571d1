"""Refresh tokens: each is exchanged once, a copy ends the session, and no session lasts for ever."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.access import accounts
from models.session import transaction
from tests.conftest import environment
from tests.web import applications
from tests.web.logins import PASSWORD, SECRET, call, log_in, signed, trade


@pytest.fixture
def other(ledger: str, account: accounts.Profile) -> FlaskClient:
    """A client of another web process, which has caches of its own."""
    return applications.create().test_client()


def read(token: str) -> dict[str, Any]:
    return jwt.decode(token, SECRET, algorithms=["HS256"], audience="cadencia", issuer="cadencia")


def minutes_pass(minutes: int) -> None:
    """Make revocations older by this time."""
    with transaction() as session:
        past = text("UPDATE revoked_tokens SET revoked_at = revoked_at - make_interval(mins => :minutes)")
        session.execute(past, {"minutes": minutes})


def test_a_refresh_token_is_exchanged_once(client: FlaskClient, account: accounts.Profile) -> None:
    second = trade(client, log_in(client).json["refresh_token"])
    assert second.status_code == 200
    assert call(client, second.json["access_token"]).status_code == 202
    assert trade(client, second.json["refresh_token"]).status_code == 200


@pytest.mark.parametrize("minutes", [0, 10])
def test_a_second_use_in_any_process_at_any_time_ends_the_session(
    client: FlaskClient, other: FlaskClient, minutes: int
) -> None:
    first = log_in(client).json
    second = trade(client, first["refresh_token"]).json
    minutes_pass(minutes)
    stolen = trade(other, first["refresh_token"])
    assert (stolen.status_code, "used before" in stolen.json["detail"]) == (401, True)
    assert trade(client, second["refresh_token"]).status_code == 401
    for token in (first["access_token"], second["access_token"]):
        assert call(other, token).status_code == 401


def test_a_second_use_ends_no_other_session(client: FlaskClient, account: accounts.Profile) -> None:
    mine, stolen = log_in(client).json, log_in(client).json["refresh_token"]
    assert [trade(client, stolen).status_code for _ in range(2)] == [200, 401]
    assert call(client, mine["access_token"]).status_code == 202
    assert trade(client, mine["refresh_token"]).status_code == 200


def test_a_response_that_was_lost_is_asked_for_again_with_the_same_idempotency_key(
    client: FlaskClient, other: FlaskClient
) -> None:
    first = log_in(client).json["refresh_token"]
    lost, again = trade(client, first, "k"), trade(other, first, "k")
    assert (lost.status_code, again.status_code) == (200, 200)
    assert read(lost.json["refresh_token"])["jti"] == read(again.json["refresh_token"])["jti"]
    assert call(client, again.json["access_token"]).status_code == 202
    assert trade(client, again.json["refresh_token"]).status_code == 200
    assert trade(client, lost.json["refresh_token"]).status_code == 401


@pytest.mark.parametrize("case", ["another key", "no key", "a minute later", "the next was used"])
def test_a_repetition_that_is_none_ends_the_session(client: FlaskClient, other: FlaskClient, case: str) -> None:
    first = log_in(client).json["refresh_token"]
    second = trade(client, first, "k").json
    if case == "a minute later":
        minutes_pass(2)
    if case == "the next was used":
        assert trade(client, second["refresh_token"]).status_code == 200
    key = {"another key": "l", "no key": ""}.get(case, "k")
    assert trade(other, first, key).status_code == 401
    assert call(other, second["access_token"]).status_code == 401


def test_a_session_ends_at_its_longest_age_however_often_it_is_refreshed(
    client: FlaskClient, account: accounts.Profile
) -> None:
    now = datetime.now(UTC)
    nearly = now - timedelta(days=89)
    token = signed(sub=str(account.id), type="refresh", auth_time=nearly, exp=now + timedelta(days=30))
    pair = trade(client, token).json
    longest = int((nearly + timedelta(days=90)).timestamp())
    for name in ("access_token", "refresh_token"):
        assert read(pair[name])["auth_time"] == int(nearly.timestamp())
    assert read(pair["refresh_token"])["exp"] == longest
    assert pair["expires_in"] <= 86_400
    over = signed(sub=str(account.id), type="refresh", auth_time=now - timedelta(days=91), jti=str(account.id))
    refused = trade(client, over)
    assert (refused.status_code, "90 days" in refused.json["detail"]) == (401, True)


def test_the_last_access_token_of_a_session_ends_with_it(client: FlaskClient, account: accounts.Profile) -> None:
    started = datetime.now(UTC) - timedelta(days=90) + timedelta(hours=1)
    pair = trade(client, signed(sub=str(account.id), type="refresh", auth_time=started)).json
    assert 3_500 < pair["expires_in"] <= 3_600
    assert read(pair["access_token"])["exp"] == int((started + timedelta(days=90)).timestamp())


def test_a_token_of_the_version_before_starts_its_session_when_it_was_issued(
    client: FlaskClient, account: accounts.Profile
) -> None:
    issued = datetime.now(UTC) - timedelta(days=20)
    token = signed(sub=str(account.id), type="refresh", iat=issued)
    assert read(trade(client, token).json["refresh_token"])["auth_time"] == int(issued.timestamp())


@pytest.mark.parametrize("change", ["password", "family"])
def test_another_process_refreshes_nothing_that_has_just_ended(
    client: FlaskClient, other: FlaskClient, change: str
) -> None:
    """Its cache of token status may be five seconds old; a new pair needs the status of this moment."""
    first = log_in(client).json
    second = trade(other, first["refresh_token"]).json
    if change == "password":
        with transaction() as session:
            accounts.set_password(session, "tienda", PASSWORD + "!")
    else:
        logout = {"Authorization": f"Bearer {first['access_token']}"}
        assert client.post("/api/v1/auth/revoke", headers=logout).status_code == 200
    assert trade(other, second["refresh_token"]).status_code == 401


@pytest.fixture(autouse=True)
def many_logins() -> Iterator[None]:
    """These tests are about tokens, not about limits."""
    with environment(LOGIN_RATE="1000 per minute"):
        yield
