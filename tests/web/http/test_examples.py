"""The examples of errors in the description of the API are what its routes answer."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from engine.access import scope_names
from tests.web.examples import JSON
from web.http import openapi

NOBODY = "0" * 32
PROBLEM = "application/problem+json"


def operations(app: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the method, the path (with ids that do not exist) and the description of each operation."""
    for path, described in openapi.document(app)["paths"].items():  # type: ignore[arg-type]
        for method, operation in described.items():
            filled = path.replace("{email_id}", f"email_{NOBODY}")
            yield method.upper(), re.sub(r"\{\w+\}", NOBODY, filled), operation


@pytest.fixture
def schemas(app: Flask) -> dict[str, Any]:
    """The schemas of the description, which takes 0.1 s to make."""
    described: dict[str, Any] = openapi.document(app)["components"]["schemas"]  # type: ignore[arg-type]
    return described


def shown(schemas: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """Return the example of the operation's JSON body; an empty one if it takes none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return {}
    body: dict[str, Any] = schemas[content["schema"]["$ref"].rpartition("/")[2]]["examples"][0]
    return body


def example(operation: dict[str, Any], status: int) -> dict[str, Any] | None:
    content = operation["responses"].get(str(status), {}).get("content", {}).get(PROBLEM)
    return content and content["example"]


def test_every_error_of_every_route_has_an_example_with_its_status(app: Flask) -> None:
    for method, path, operation in operations(app):
        errors = {status for status in operation["responses"] if status >= "400"}
        assert {"429", "503"} <= errors, path
        for status in errors:
            problem = example(operation, int(status))
            assert problem and problem["status"] == int(status) and problem["detail"], (method, path, status)


def test_who_may_not_call_gets_the_example(app: Flask, client: FlaskClient, bearer: Any) -> None:
    """Without a token, and with one that has every scope but those of the route."""
    for method, path, operation in operations(app):
        [security] = operation.get("security") or [None]
        if security is None:
            continue
        assert client.open(path, method=method).json == example(operation, 401), path
        if scopes := security["bearer"]:
            others = set(scope_names.ALL) - {*scopes, "admin"}
            assert client.open(path, method=method, headers=bearer(*others)).json == example(operation, 403), path


def test_a_wrong_body_gets_the_example(app: Flask, schemas: dict[str, Any], client: FlaskClient, bearer: Any) -> None:
    headers, checked = bearer("admin"), 0
    text, large = {"Content-Type": "text/css"}, b"x" * 8_000_001
    for method, path, operation in operations(app):
        if not (body := shown(schemas, operation)):
            continue
        for status, data, kind in ((400, b"hola", JSON), (413, large, JSON), (415, b"{}", text)):
            answer = client.open(path, method=method, data=data, headers=headers | kind)
            assert answer.json == example(operation, status), (path, status)
        invalid = example(operation, 422)
        assert invalid, path
        [fault] = invalid["errors"]
        wrong = {name: value for name, value in body.items() if name != fault["field"]}
        wrong |= {fault["field"]: 1} if "is not a field" in fault["message"] else {}
        assert client.open(path, method=method, json=wrong, headers=headers).json == invalid, path
        checked += 1
    assert checked > 6


def test_an_id_that_nothing_has_gets_the_example(
    app: Flask, schemas: dict[str, Any], client: FlaskClient, bearer: Any
) -> None:
    headers, checked = bearer("admin"), 0
    for method, path, operation in operations(app):
        if NOBODY in path and (expected := example(operation, 404)):
            answer = client.open(path, method=method, json=shown(schemas, operation), headers=headers)
            assert answer.json == expected, path
            checked += 1
    assert checked > 6
