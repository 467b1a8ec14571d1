"""Every route declares its callers and enforces that (rule R34)."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.routing import Rule

import settings
import web
from engine.access import scope_names
from tests.conftest import environment
from tests.rules.conftest import ENVIRONMENT
from web.http import auth, openapi

# Routes of the API that need no token. A new one here is a decision, so it is written down twice.
OPEN = {("POST", "/api/v1/auth/token"), ("POST", "/api/v1/events/track")}
PATH_VALUES = {"email_id": "email_" + "0" * 32, "token": "x", "name": "x", "index": "0", "version": "1"}


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    with environment(**ENVIRONMENT):
        yield web.create_app(settings.load())


def routes(app: Flask) -> list[tuple[str, Rule, Any]]:
    """(method, rule, view) of everything that is served."""
    return [
        (method, rule, app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_route_states_its_access(app: Flask) -> None:
    assert len(routes(app)) > 20
    for method, rule, view in routes(app):
        access = auth.access_of(view)
        assert access is not None, rule.rule
        is_stated = bool(access.scopes or access.kinds != ("access",) or access.identify)
        assert bool(access.public) != is_stated, (method, rule.rule)


def test_a_public_route_says_why(app: Flask) -> None:
    for _, rule, view in routes(app):
        access = auth.access_of(view)
        assert access is not None
        if access.public:
            assert len(access.public.split()) >= 4, rule.rule


def test_the_open_routes_of_the_api_are_those_we_decided_on(app: Flask) -> None:
    found = {
        (method, rule.rule)
        for method, rule, view in routes(app)
        if rule.rule.startswith("/api/") and (access := auth.access_of(view)) and access.public
    }
    assert found == OPEN


def test_every_scope_that_a_route_asks_for_can_be_given(app: Flask) -> None:
    asked = {scope for _, _, view in routes(app) if (access := auth.access_of(view)) for scope in access.scopes}
    assert asked and asked <= set(scope_names.ALL)


def test_without_a_token_nothing_but_the_open_routes_answers(app: Flask) -> None:
    """The refusal comes before the body is read: none of these bodies is JSON."""
    client = app.test_client()
    for method, rule, view in routes(app):
        access = auth.access_of(view)
        if access is None or access.public:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: PATH_VALUES.get(found[1], str(UUID(int=0))), rule.rule)
        answer = client.open(path, method=method, data="{", content_type="text/plain")
        if path.startswith("/app"):
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/app/sign-in"), (method, path)
        else:
            assert (answer.status_code, answer.content_type) == (401, "application/problem+json"), (method, path)


def test_pages_change_state_only_by_post_and_only_for_a_form_of_ours(app: Flask) -> None:
    for method, rule, view in routes(app):
        access = auth.access_of(view)
        if access and rule.rule.startswith("/app") and not access.public:
            assert access.changes == (method == "POST"), (method, rule.rule)


def test_every_route_of_the_api_is_described_with_its_security(app: Flask) -> None:
    paths = openapi.document(app)["paths"]  # type: ignore[arg-type]
    for method, rule, view in routes(app):
        access = auth.access_of(view)
        if not rule.rule.startswith("/api/") or access is None:
            continue
        described = paths[re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)][method.lower()]
        assert bool(described.get("security")) != bool(access.public), rule.rule
        assert described["summary"] and described["operationId"], rule.rule


def test_every_view_says_what_it_does(app: Flask) -> None:
    assert [rule.rule for _, rule, view in routes(app) if not (view.__doc__ or "").strip()] == []
