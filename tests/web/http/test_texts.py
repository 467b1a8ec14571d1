"""The texts of errors: for any wrong input on any route they are ours, and name a valid form."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import fuzz
from tests.conftest import environment
from tests.sequence import VARIABLES
from tests.web import applications
from tests.web.examples import JSON, send
from web.http import openapi

# Words of pydantic, SQLAlchemy, psycopg, Jinja and Python.
OF_LIBRARIES = re.compile(
    r"Input should|Field required|should have at|Extra inputs|Value error|constrained|\[key\]|unable to|DETAIL:|"
    r"valid (?:string|dictionary|list|integer|UUID)|pydantic|sqlalchemy|psycopg|jinja|Traceback|object at 0x|"
    r"does not fit here"
)
VALUES: tuple[Any, ...] = (
    None,
    5,
    1.5,
    -1,
    10**30,
    True,
    "x",
    "",
    "x" * 5_000,
    "ana@empresa.example",
    [],
    [5],
    {},
    {"a": []},
    [[]],
)


@pytest.fixture
def app(ledger: str) -> Flask:
    with environment(LOGIN_RATE="1000000 per minute", TRACK_RATE="1000000 per minute"):
        return applications.create()


def bodies(app: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and the example of each JSON body of the API."""
    described = openapi.document(app)  # type: ignore[arg-type]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content and "/auth/" not in path:
                schema = described["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                yield method, re.sub(r"\{\w+\}", "0" * 32, path), schema["examples"][0]


def wrong(field: int) -> Iterator[Any]:
    """Yield every wrong value, or in the short run each third one: of three fields that follow, all together."""
    return islice(VALUES, 0 if fuzz.IS_LONG else field % 3, None, 1 if fuzz.IS_LONG else 3)


def twisted(shown: Any) -> Iterator[Any]:
    """Yield the example with each field, at any depth, replaced by wrong values, left out, or joined by another."""
    if isinstance(shown, dict):
        for field, name in enumerate(shown):
            yield {key: value for key, value in shown.items() if key != name}
            for value in (*wrong(field), *twisted(shown[name])):
                yield {**shown, name: value}
        yield {**shown, "tempalte": 1}
    elif isinstance(shown, list) and shown:
        for value in (*wrong(len(shown)), *twisted(shown[0])):
            yield [value, *shown[1:]]


def test_no_wrong_body_is_answered_in_the_words_of_a_library(app: Flask, client: FlaskClient, bearer: Any) -> None:
    headers, checked = bearer("admin") | JSON, 0
    for method, path, shown in bodies(app):
        for body in twisted(shown):
            answer = client.open(path, method=method.upper(), json=body, headers=headers)
            assert answer.status_code < 500, (path, body)
            assert not OF_LIBRARIES.search(answer.text), (path, str(body)[:300], answer.text)
            assert answer.status_code < 400 or "empresa.example" not in answer.text, (path, answer.text)
            checked += answer.status_code == 422
    assert checked > 150


def test_unknown_names_are_repeated_with_the_nearest_and_all_that_exist(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("admin")
    campaign = {
        "name": "c",
        "steps": [{"template": "email_1_roi"}],
        "variables": {"link_calendly": "https://c.example"},
    }
    cases: list[tuple[str, dict[str, Any], str, str]] = [
        (
            "emails/send",
            send(template="email_1_rio"),
            "template",
            "'email_1_rio' is not known; did you mean email_1_roi",
        ),
        ("emails/send", send(kind="transacional"), "kind", "did you mean transactional?"),
        ("emails/send", {**send(), "varaibles": {}}, "varaibles", "did you mean variables? There are to, template"),
        ("emails/batch", {"emails": [send(template="email_2")]}, "emails[0].template", "did you mean email_2_caso?"),
        ("campaigns", {**campaign, "timezone": "Europe/Madrit"}, "timezone", "did you mean Europe/Madrid?"),
        ("campaigns", {**campaign, "timezone": "localtime"}, "timezone", "'localtime' is not a zone"),
        ("campaigns", {**campaign, "audience": {"industri": ["a"]}}, "audience.industri", "did you mean industry?"),
        ("campaigns", {**campaign, "steps": [{"template": "email_1_ro"}]}, "steps[0].template", "email_1_roi?"),
        ("campaigns", {**campaign, "steps": [{"templat": "x"}]}, "steps[0].templat", "did you mean template?"),
        ("events/track", {"email_id": "x", "event_type": "open"}, "event_type", "did you mean opened?"),
    ]
    for path, body, field, message in cases:
        answer = client.post(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.status_code == 422, (path, answer.text)
        assert [fault for fault in answer.json["errors"] if fault["field"] == field and message in fault["message"]], (
            message,
            answer.json,
        )


def test_a_launch_without_an_audience_names_the_values_that_contacts_have(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("admin")
    rows = "email,sector\na@empresa.example,Marketing\nb@empresa.example,Logística\n"
    client.post("/api/v1/contacts/import", data=rows.encode(), headers=headers | {"Content-Type": "text/csv"})
    wanted = {"name": "c", "steps": [{"template": "email_1_roi"}], "variables": VARIABLES}
    created = client.post("/api/v1/campaigns", json={**wanted, "audience": {"industry": ["marketin"]}}, headers=headers)
    answer = client.post(f"/api/v1/campaigns/{created.json['id']}/launch", headers=headers)
    assert answer.status_code == 409
    assert "audience.industry: 'marketin' is of no contact; did you mean Marketing? There are" in answer.json["detail"]
