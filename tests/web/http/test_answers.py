"""Errors as problem+json, headers of every response, health, and the database unavailable."""

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from sqlalchemy import text

import web
from models.session import transaction
from tests import sends
from tests.conftest import environment
from tests.web import applications
from tests.web.examples import send
from web.http.auth import public


def test_unknown_routes_and_methods_of_the_api_are_problems(client: FlaskClient) -> None:
    for method, path, status in (
        ("GET", "/api/v1/emails/send/x", 404),
        ("GET", "/api/nope", 404),
        ("DELETE", "/api/v1/emails/send", 405),
    ):
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        assert {"type", "title", "status", "detail"} <= set(answer.json or ())
        assert answer.json["status"] == status
        words = {404: "path: there is no such route", 405: "method: DELETE is not for this route; it has GET, POST"}[
            status
        ]
        assert answer.json["detail"].startswith(words)
    assert "POST" in client.delete("/api/v1/emails/send").headers["Allow"]


def test_unknown_paths_and_methods_elsewhere_are_pages(client: FlaskClient) -> None:
    for language, text_ in (("es-MX,es", "Aquí no hay nada"), ("en-GB", "There is nothing here"), ("", "Aquí no")):
        for method, path, status in (("GET", "/nope", 404), ("PUT", "/healthz", 405), ("POST", "/", 405)):
            answer = client.open(path, method=method, headers={"Accept-Language": language})
            assert (answer.status_code, answer.content_type) == (status, "text/html; charset=utf-8"), path
            assert text_ in answer.text and "<script" not in answer.text
    assert "GET" in client.put("/healthz").headers["Allow"]
    assert "no admite esa petición" in client.put("/healthz").text and "no existe" in client.get("/nope").text


def test_the_page_at_the_root_says_what_this_is_and_no_secret(app: Flask, client: FlaskClient) -> None:
    for language, words in (("es", "correos de seguimiento"), ("en", "follow-up e-mails")):
        answer = client.get("/", headers={"Accept-Language": language})
        assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
        assert words in answer.text and f'<html lang="{language}"' in answer.text
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        for path in re.findall(r'href="([^"]+)"', answer.text):
            assert client.get(path, follow_redirects=True).status_code == 200, path


def test_a_bug_is_a_500_that_tells_nothing_and_a_log_line_that_does(
    ledger: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = web.create_app()

    @app.get("/bug")
    @public("a test")
    def bug() -> str:
        raise KeyError("secreto ana@empresa.example")

    answer = app.test_client().get("/bug")
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "secreto" not in answer.text and "KeyError" not in answer.text
    assert "request_failed" in caplog.text


def test_every_answer_has_the_headers_and_no_server_name(client: FlaskClient) -> None:
    for path in ("/", "/healthz", "/nope", "/openapi.json", "/docs", "/u/x", "/api/v1/emails/x"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe-inline" not in headers["Content-Security-Policy"].split("style-src")[0], path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert "Server" not in headers and "X-Powered-By" not in headers, path


def test_health_tells_of_the_sweep(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").json == {
        "status": "ready", "database": "answers", "sweep": "late", "sweep_age_s": None, "spool_bytes": 0,
        "spool": "on time", "spool_age_s": None, "spool_quarantined": 0, "recorders_quarantined": 0,
        "events_unsaved": 0, "templates_unusable": 0, "warnings": [],
        "lanes": {lane: {"state": "on time", "due": 0, "due_since": None, "worked_s_ago": None}
                  for lane in ("transactional", "campaign")},
    }  # fmt: skip
    with transaction() as session:
        session.execute(text("INSERT INTO heartbeats (name, beaten_at) VALUES ('sweep', now() - interval '7 seconds')"))
    ready = client.get("/readyz").json
    assert (ready["sweep"], 7 <= ready["sweep_age_s"] < 10) == ("on time", True)
    with transaction() as session:
        sends.queue(session, 3)  # due since months, and no worker has claimed one
    assert client.get("/readyz").json["lanes"]["transactional"] == {
        "state": "late", "due": 3, "due_since": "2026-03-02T09:00:00Z", "worked_s_ago": None,
    }  # fmt: skip


def test_without_its_database_it_lives_and_is_not_ready_and_takes_nothing(
    app: Flask, client: FlaskClient, sender: dict[str, str]
) -> None:
    client.get("/api/v1/emails/x", headers=sender)  # the token is known to this process now
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        assert client.get("/healthz").status_code == 200
        for answer in (
            client.get("/readyz"),
            client.post("/api/v1/emails/send", json=send(), headers=sender),
            app.test_client().post("/api/v1/auth/token", json={"account": "a", "password": "b"}),
        ):
            assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
            assert int(answer.headers["Retry-After"]) > 0
            assert "127.0.0.1" not in answer.text and "psycopg" not in answer.text
    assert client.post("/api/v1/emails/send", json=send(), headers=sender).status_code == 202


def test_rate_limits_hold_while_their_storage_is_away(ledger: str) -> None:
    with environment(DATABASE_URL=ledger, RATE_LIMIT_STORAGE_URL="redis://127.0.0.1:9/0", LOGIN_RATE="2 per minute"):
        client = applications.create().test_client()
        body = {"account": "a", "password": "b"}
        assert [client.post("/api/v1/auth/token", json=body).status_code for _ in range(3)] == [401, 401, 429]


def test_rate_limits_are_shared_through_their_storage(ledger: str, valkey: Any) -> None:
    with environment(DATABASE_URL=ledger, RATE_LIMIT_STORAGE_URL=valkey.url, LOGIN_RATE="2 per minute"):
        clients = [applications.create().test_client() for _ in range(3)]
        body = {"account": "shared", "password": "b"}
        assert [client.post("/api/v1/auth/token", json=body).status_code for client in clients] == [401, 401, 429]


def test_the_client_address_is_the_proxys_word_only_when_one_is_trusted(ledger: str) -> None:
    def statuses(**settings: str) -> list[int]:
        with environment(DATABASE_URL=ledger, TRACK_RATE="1 per minute", **settings):
            client = applications.create().test_client()
            return [
                client.post("/api/v1/events/track", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
                for number in range(2)
            ]

    assert statuses() == [415, 429]
    assert statuses(TRUSTED_PROXIES="1") == [415, 415]


def test_a_port_behind_the_callers_address_makes_no_other_caller(ledger: str) -> None:
    def statuses(*forwarded: str) -> list[int]:
        with environment(DATABASE_URL=ledger, TRACK_RATE="1 per minute", TRUSTED_PROXIES="1"):
            client = applications.create().test_client()
            headers = [{"X-Forwarded-For": each} for each in forwarded]
            return [client.post("/api/v1/events/track", headers=each).status_code for each in headers]

    assert statuses("203.0.113.6:40000", "203.0.113.6:40001", "203.0.113.7:40000") == [415, 429, 415]
    assert statuses("[2001:db8::6]:40000", "2001:DB8:0::6", "[2001:db8::6]") == [415, 429, 429]
    assert statuses("::ffff:203.0.113.6", "203.0.113.6") == [415, 429]
    assert statuses("unknown", "_hidden:1", "127.0.0.1") == [415, 429, 429]  # the proxy's own address
    assert statuses("203.0.113.6" + "%" + "z" * 5_000, "127.0.0.1") == [415, 429]


def test_a_path_with_two_slashes_is_not_redirected_to_the_callers_host(client: FlaskClient) -> None:
    for path in ("/docs//start.js", "/api/v1//emails/send", "/u//x"):
        answer = client.get(path, base_url="http://evil.example")
        assert (answer.status_code, "Location" in answer.headers) == (404, False), path


def test_settings_that_production_lacks_are_reported(ledger: str, caplog: pytest.LogCaptureFixture) -> None:
    production = {"DATABASE_URL": ledger, "ENVIRONMENT": "production", "PUBLIC_URL": "https://correo.example"}
    production["PASSWORD_MIB"] = "19"
    with environment(**production):
        warnings = applications.create().test_client().get("/readyz").json["warnings"]
    assert [warning.split()[0] for warning in warnings] == ["TRUSTED_PROXIES", "BRAND_NAME", "BRAND_ADDRESS"]
    assert all(f"settings_warning {warning}" in caplog.text for warning in warnings)
    with environment(**production, TRUSTED_PROXIES="1", BRAND_NAME="Ronda", BRAND_ADDRESS="Calle Mayor 1, Madrid"):
        assert applications.create().test_client().get("/readyz").json["warnings"] == []


def test_the_description_is_openapi_31_and_every_reference_resolves(app: Flask, client: FlaskClient) -> None:
    described = client.get("/openapi.json").json
    assert described["openapi"].startswith("3.1")
    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    schemas = described["components"]["schemas"]
    for reference in _references(described):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    served = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")}
    assert {path.replace("{", "<").replace("}", ">") for path in described["paths"]} == served
    send_it = described["paths"]["/api/v1/emails/send"]["post"]
    assert send_it["security"] == [{"bearer": ["send"]}]
    assert {"200", "202", "400", "401", "403", "413", "415", "422", "429", "503"} <= set(send_it["responses"])
    assert {parameter["name"] for parameter in send_it["parameters"]} == {"Idempotency-Key", "Prefer"}
    assert schemas["Send"]["examples"][0]["template"] == "email_1_roi"
    assert "nullable" not in json.dumps(described)
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        for shown in schema.get("examples", ()):
            whole = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
            assert not list(Draft202012Validator(whole).iter_errors(shown)), name
    track = described["paths"]["/api/v1/events/track"]["post"]
    assert "security" not in track


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [reference for part in value.values() for reference in _references(part)]
        return [*inner, value["$ref"]] if isinstance(value.get("$ref"), str) else inner
    return [reference for part in value for reference in _references(part)] if isinstance(value, list) else []


def test_the_docs_page_loads_all_it_needs_from_here(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "http" not in page.text
    for path in ("/docs/start.js", "/docs/assets/css/swagger-ui.css", "/docs/assets/js/swagger-ui-bundle.js"):
        assert path in page.text
        assert client.get(path).status_code == 200
    assert client.get("/docs/assets/../__init__.py").status_code == 404
