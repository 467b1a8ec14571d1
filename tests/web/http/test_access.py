"""Every route declares its callers, and the declaration is enforced."""

from typing import Any
from uuid import UUID

from flask import Flask

from web.http import auth

PLACES = {"email_id": "0" * 32, "token": "x", "path:name": "css/swagger-ui.css", "int:index": "0", "int:version": "1"}


def routes(app: Flask) -> list[tuple[str, str, auth.Access]]:
    """Method, path and statement of every route, with something in its places."""
    declared = []
    for rule in app.url_map.iter_rules():
        access = auth.access_of(app.view_functions[rule.endpoint])
        assert access is not None, rule
        path = rule.rule
        for argument in rule.arguments:
            for converter in ("path:", "uuid:", "int:", ""):
                name = f"{converter}{argument}"
                path = path.replace(f"<{name}>", PLACES.get(name, str(UUID(int=0))))
        declared += [(method, path, access) for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})]
    return declared


def test_every_route_states_its_access_and_public_ones_say_why(app: Flask) -> None:
    stated = routes(app)
    assert len(stated) > 10
    assert all(bool(access.public) != bool(access.kinds and not access.public) for _, _, access in stated)


def test_an_app_with_a_route_that_states_nothing_does_not_start(app: Flask) -> None:
    bare = Flask("bare", static_folder=None)
    bare.add_url_rule("/x", "forgotten", lambda: "")
    try:
        auth.check_routes(bare)
    except RuntimeError as error:
        assert "forgotten" in str(error)
    else:
        raise AssertionError("it started")


def test_no_route_but_the_public_ones_answers_without_a_token(app: Flask) -> None:
    client = app.test_client()
    for method, path, access in routes(app):
        status = client.open(path, method=method, data=b"[", content_type="application/json").status_code
        refusal = 303 if access.identify else 401
        assert (status == refusal) == (not access.public), (method, path, status)


def test_each_scope_opens_its_routes_and_no_others(app: Flask, bearer: Any) -> None:
    client = app.test_client()
    scopes = ("send", "send:transactional", "campaigns", "contacts", "templates", "reports", "admin")
    headers = {scope: bearer(scope) for scope in scopes}
    for method, path, access in routes(app):
        if access.public or access.identify or "access" not in access.kinds or path.endswith("/revoke"):
            continue
        for scope in scopes:
            answer = client.open(
                path, method=method, data=b"[", headers=headers[scope], content_type="application/json"
            )
            may = not access.scopes or scope in access.scopes or scope == "admin"
            assert (answer.status_code == 403) == (not may), (method, path, scope, answer.status_code)
