"""Tokens: logging in, the next pair, logging out, and tokens that are refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from engine.access import accounts, bearer_tokens
from models.session import transaction
from tests.web.conftest import holder
from tests.web.examples import send
from tests.web.logins import SECRET, URL, call, claims, log_in, signed, trade
from web import process


def test_a_token_has_the_specified_claims_and_lasts_24_hours(client: FlaskClient, account: accounts.Profile) -> None:
    answer = log_in(client)
    assert answer.status_code == 200
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 86_400)
    token = answer.json["access_token"]
    read = jwt.decode(token, SECRET, algorithms=["HS256"], audience="cadencia", issuer="cadencia")
    assert read["user_id"] == read["sub"] == str(account.id)
    assert read["exp"] - read["iat"] == 86_400
    assert {"iss", "aud", "jti", "type", "scopes", "auth_time"} <= set(read)
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert call(client, token).status_code == 202


def test_logging_in_is_401_for_a_wrong_password_an_unknown_and_a_closed_account(
    client: FlaskClient, account: accounts.Profile
) -> None:
    wrong, unknown = log_in(client, "another password"), log_in(client, account="nobody")
    with transaction() as session:
        accounts.disable(session, "tienda", now=datetime.now(UTC))
    closed = log_in(client)
    assert [answer.status_code for answer in (wrong, unknown, closed)] == [401] * 3
    assert wrong.data == unknown.data == closed.data


@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_no_token_but_a_genuine_one_passes(app: Flask, client: FlaskClient, account: accounts.Profile) -> None:
    owner = str(account.id)
    now = datetime.now(UTC)
    genuine = signed(sub=owner)
    assert call(client, genuine).status_code == 202
    header, payload, signature = genuine.split(".")
    deep = base64.urlsafe_b64encode(b"[" * 2_000).rstrip(b"=").decode()
    cases = {
        "none": jwt.encode(claims(sub=owner), "", algorithm="none"),
        "None with a signature": f"{_part({'alg': 'none', 'typ': 'JWT'})}.{payload}.{signature}",
        "another secret": jwt.encode(claims(sub=owner), "x" * 40, algorithm="HS256"),
        "HS512": jwt.encode(claims(sub=owner), SECRET, algorithm="HS512"),
        "expired": signed(sub=owner, exp=now - timedelta(minutes=1)),
        "from the future": signed(sub=owner, iat=now + timedelta(hours=1)),
        "another issuer": signed(sub=owner, iss="x"),
        "another audience": signed(sub=owner, aud="x"),
        "no user_id": signed(sub=owner, user_id=None),
        "a user_id that is none": signed(sub=owner, user_id=7),
        "scopes that are none": signed(sub=owner, scopes=7),
        "no type": signed(sub=owner, type=None),
        "a type that is none": signed(sub=owner, type=["access"]),
        "an exp of 31 digits": signed(sub=owner, exp=10**30),
        "an exp without end": signed(sub=owner, exp=float("inf")),
        "an auth_time of 31 digits": signed(sub=owner, auth_time=-(10**30)),
        "a refresh token": signed(sub=owner, type="refresh"),
        "another generation": signed(sub=owner, gen=1),
        "an account that is not": signed(sub="00000000-0000-4000-8000-00000000000a"),
        "a changed payload": f"{header}.{_part({'user_id': owner, 'scopes': ['admin']})}.{signature}",
        "cut short": genuine[:-2],
        "no signature": f"{header}.{payload}.",
        "one part": "x",
        "two parts": "x.y",
        "five parts": "a.b.c.d.e",
        "a deep payload": f"{header}.{deep}.{signature}",
        "a deep header": f"{deep}.{payload}.{signature}",
        "a payload that is a list": f"{header}.{_part([])}.{signature}",
        "no base64": "ñ.ñ.ñ".encode().decode("latin-1"),
        "very long": "x" * 5_000,
    }
    for case, token in cases.items():
        answer = call(client, token)
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json"), case
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="cadencia", error="invalid_token"', case


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_request_without_a_token_is_told_how_to_bring_one(client: FlaskClient) -> None:
    for header in ({}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}):
        answer = client.post(URL, json=send(), headers=header)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="cadencia"')


def test_a_revoked_token_ends_with_its_pair_and_no_other(client: FlaskClient, account: accounts.Profile) -> None:
    mine, other = log_in(client).json, log_in(client).json
    assert call(client, mine["access_token"]).status_code == 202
    answer = client.post("/api/v1/auth/revoke", headers={"Authorization": f"Bearer {mine['access_token']}"})
    assert (answer.status_code, answer.json) == (200, {"status": "success"})
    assert call(client, mine["access_token"]).status_code == 401
    assert trade(client, mine["refresh_token"]).status_code == 401
    assert call(client, other["access_token"]).status_code == 202


def test_a_token_ends_with_its_account_and_with_its_password(app: Flask, account: accounts.Profile) -> None:
    token = log_in(app.test_client()).json["access_token"]
    with transaction() as session:
        accounts.set_password(session, "tienda", "a new password of the tests")
    assert call(app.test_client(), token).status_code == 401
    token = log_in(app.test_client(), "a new password of the tests").json["access_token"]
    with transaction() as session:
        accounts.disable(session, "tienda", now=datetime.now(UTC))
    assert call(app.test_client(), token).status_code == 401


def test_another_process_accepts_a_revoked_token_for_five_seconds_at_most(
    app: Flask, account: accounts.Profile
) -> None:
    cache = process.of(app).token_cache
    assert cache.cache_s <= 5
    cache.cache_s = 0.0
    client = app.test_client()
    token = log_in(client).json["access_token"]
    assert call(client, token).status_code == 202
    with transaction() as session:
        accounts.disable(session, "tienda", now=datetime.now(UTC))
    assert call(client, token).status_code == 401


def test_a_token_has_no_scope_that_its_account_lost(app: Flask, client: FlaskClient) -> None:
    account = holder("send", "reports")
    token = bearer_tokens.issue(account, now=datetime.now(UTC)).access
    with transaction() as session:
        from sqlalchemy import text

        session.execute(text("UPDATE accounts SET scopes = '{reports}'"))
    answer = call(client, token)
    assert (answer.status_code, answer.content_type) == (403, "application/problem+json")


def test_a_token_that_was_taken_once_is_refused_when_its_time_is_over(
    app: Flask, client: FlaskClient, account: accounts.Profile
) -> None:
    """Its signature is checked once, its expiry at every call."""
    app.config["JWT_DECODE_LEEWAY"] = 0
    token = bearer_tokens.issue(account, now=datetime.now(UTC), lasting=timedelta(seconds=3)).access
    assert [call(client, token).status_code for _ in range(2)] == [202, 202]
    sleep(3)
    assert call(client, token).status_code == 401
