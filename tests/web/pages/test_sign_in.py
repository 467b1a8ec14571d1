"""Signing in to the pages: sessions in cookies, their end, forged forms, redirects."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from engine.access import accounts, bearer_tokens
from models.session import transaction
from tests.conftest import environment
from tests.web import applications
from tests.web.conftest import holder
from tests.web.pages import visitors
from tests.web.pages.visitors import PASSWORD


def test_a_person_signs_in_sees_the_overview_and_signs_out(client: FlaskClient) -> None:
    visitors.create("ana", "reports")
    asked = client.get("/app/")
    assert (asked.status_code, asked.location) == (303, "/app/sign-in?next=/app/")
    signed_in = visitors.sign_in(client, "ana", wanted="/app/account")
    assert (signed_in.status_code, signed_in.location) == (303, "/app/account")
    cookie = signed_in.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Max-Age=43200" in cookie
    page = client.get("/app/account")
    assert page.status_code == 200 and "ana" in page.text and page.headers["Cache-Control"] == "no-store"
    copied = cookie.partition(";")[0]
    assert client.post("/app/sign-out", data={"csrf_token": visitors.token(page)}).location == "/app/sign-in"
    assert client.get("/app/account").status_code == 303
    assert client.get("/app/account", headers={"Cookie": copied}).status_code == 303  # the session itself ended


def test_over_https_the_cookie_is_bound_to_the_host(ledger: str) -> None:
    visitors.create("ana", "reports")
    with environment(PUBLIC_URL="https://cadencia.example"):
        client = applications.create().test_client()
        cookie = visitors.sign_in(client, "ana", base_url="https://cadencia.example").headers["Set-Cookie"]
    assert cookie.startswith("__Host-cadencia=") and "Secure" in cookie and "Path=/" in cookie
    assert "Domain" not in cookie


def test_a_wrong_password_says_so_and_keeps_the_page_that_was_wanted(client: FlaskClient) -> None:
    visitors.create("ana", "reports")
    answer = visitors.sign_in(client, "ana", password="not the password", wanted="/app/account")
    assert answer.status_code == 401 and 'value="/app/account"' in answer.text and "Set-Cookie" not in answer.headers
    assert "no es correcta" in answer.text


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/app/", "//evil.example/app/", "/\\evil.example/app/", "/app/\\..", "/app//evil", "/docs", "",
     "/app/\r\nX: y", "javascript:alert(1)", "//[", "https:/app/", "/app/@evil.example:80/../..//evil.example"],
)  # fmt: skip
def test_a_redirect_stays_on_this_site(client: FlaskClient, wanted: str) -> None:
    visitors.create("ana", "reports")
    assert visitors.sign_in(client, "ana", wanted=wanted).location == "/app/"


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_sign_a_visitor_in(client: FlaskClient, headers: dict[str, str]) -> None:
    visitors.create("ana", "reports")
    assert visitors.sign_in(client, "ana", headers=headers).status_code == 403


def test_a_form_without_the_sessions_token_is_refused(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "reports", path="/app/account")
    other = visitors.visit(client.application.test_client(), "eva", "reports", path="/app/account")
    for value in ("", "x", visitors.token(other)):
        answer = client.post("/app/account/preferences", data={"csrf_token": value, "language": "en"})
        assert answer.status_code == 403
    right = {"csrf_token": visitors.token(page), "language": "en", "theme": "dark"}
    assert client.post("/app/account/preferences", data=right).status_code == 303
    assert '<html lang="en" data-theme="dark"' in client.get("/app/account").text


def _forged() -> dict[str, Any]:
    profile = holder("reports")
    now = datetime.now(UTC)
    session = bearer_tokens.issue_session(profile, now=now)
    return {
        "expired": bearer_tokens.issue_session(profile, now=now - timedelta(hours=13)),
        "a bearer token": bearer_tokens.issue(profile, now=now).access,
        "another signature": session[:-4] + ("AAAA" if session[-4:] != "AAAA" else "BBBB"),
        "no token": "<script>",
        "long": "a" * 3_000,
    }


def test_forged_expired_and_foreign_cookies_lead_to_sign_in(client: FlaskClient) -> None:
    for what, value in _forged().items():
        client.set_cookie("cadencia", value)
        assert client.get("/app/account").status_code == 303, what


def test_the_sign_in_page_says_that_a_session_ended_and_leads_back(client: FlaskClient) -> None:
    client.set_cookie("cadencia", _forged()["expired"])
    asked = client.get("/app/contacts/import")
    assert asked.location == "/app/sign-in?next=/app/contacts/import&ended=page"
    assert "ha terminado" not in client.get("/app/sign-in").text
    assert "Su sesión ha terminado" in client.get(asked.location).text
    referrer = {"Referer": "http://localhost/app/account"}
    sent = client.post("/app/account/preferences", data={"language": "en"}, headers=referrer)
    page = client.get(sent.location)
    assert "no se ha guardado nada" in page.text and 'name="next" value="/app/account"' in page.text


def test_a_session_that_another_person_planted_is_replaced_by_signing_in(client: FlaskClient) -> None:
    planted = bearer_tokens.issue_session(holder("reports"), now=datetime.now(UTC))
    client.set_cookie("cadencia", planted)
    visitors.create("ana", "reports")
    visitors.sign_in(client, "ana")
    own = client.get_cookie("cadencia").value
    assert own != planted and "ana" in client.get("/app/account").text
    other = client.application.test_client()
    other.set_cookie("cadencia", planted)
    assert "ana" not in re.findall("<h1[^>]*>([^<]*)", other.get("/app/account").text)


def test_a_session_is_no_bearer_token(app: Flask) -> None:
    session = bearer_tokens.issue_session(holder("reports"), now=datetime.now(UTC))
    answer = app.test_client().get("/api/v1/campaigns", headers={"Authorization": f"Bearer {session}"})
    assert answer.status_code == 401 and "browser session" in answer.json["detail"]


def test_a_new_password_and_a_closed_account_end_sessions_at_once(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "reports", path="/app/account")
    second = client.application.test_client()
    visitors.sign_in(second, "ana")
    wrong = {"csrf_token": visitors.token(page), "current": "not the password", "new": "another long password"}
    assert client.post("/app/account/password", data=wrong).status_code == 422
    assert second.get("/app/account").status_code == 200
    assert client.post("/app/account/password", data=wrong | {"current": PASSWORD}).status_code == 303
    assert second.get("/app/account").status_code == client.get("/app/account").status_code == 303
    visitors.sign_in(second, "ana", password="another long password")
    assert second.get("/app/account").status_code == 200
    with transaction() as session:
        accounts.disable(session, "ana", now=datetime.now(UTC))
    assert second.get("/app/account").status_code == 303


def test_a_used_session_is_renewed_until_its_login_is_too_old(client: FlaskClient) -> None:
    profile, now = holder("reports"), datetime.now(UTC)
    for age, is_renewed in ((timedelta(minutes=5), False), (timedelta(hours=2), True)):
        client.set_cookie("cadencia", bearer_tokens.issue_session(profile, now=now - age))
        assert ("Set-Cookie" in client.get("/app/account").headers) == is_renewed, age
    old = bearer_tokens.Login(now - timedelta(days=90) + timedelta(minutes=30))
    client.set_cookie("cadencia", bearer_tokens.issue_session(profile, now=now - timedelta(hours=1), login=old))
    cookie = client.get("/app/account").headers["Set-Cookie"]
    client.set_cookie("cadencia", re.split("[=;]", cookie)[1])
    claims = visitors.claims(client)
    assert claims["exp"] - now.timestamp() <= 1_801


def test_guesses_are_limited_as_those_of_the_api(client: FlaskClient) -> None:
    for _ in range(6):
        answer = visitors.sign_in(client, "nobody", password="not the password")
    assert answer.status_code == 429 or visitors.sign_in(client, "nobody", password="no password").status_code == 429


def test_the_language_is_the_browsers_unless_the_account_has_one(client: FlaskClient) -> None:
    assert "Iniciar sesión" in client.get("/app/sign-in", headers={"Accept-Language": "es-MX"}).text
    assert "Sign in" in client.get("/app/sign-in", headers={"Accept-Language": "en"}).text
    assert "Iniciar sesión" in client.get("/app/sign-in", headers={"Accept-Language": "fi"}).text
