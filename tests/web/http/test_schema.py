"""Compare the API with its own description, by calls that schemathesis generates from it.

Valid and invalid calls, with a token and without: none ends in a 5xx, and each response is one of the described ones.
`make fuzz` makes many more.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, checks
from sqlalchemy import text

from engine.access import accounts, bearer_tokens
from engine.access.accounts import Profile
from models.session import transaction
from tests.conftest import environment, settled
from tests.databases import Ledger
from tests.engine.assets import samples
from tests.sequence import VARIABLES
from tests.web import applications
from tests.web.conftest import holder
from tests.web.examples import send
from web.schemas.forms import FormWanted
from web.schemas.landing_pages import PageWanted
from web.schemas.templates.versions import NewVersion

IS_LONG = os.environ.get("FUZZ") == "long"
SEED = int(os.environ.get("FUZZ_SEED", "11"))
CALLS = 2_000 if IS_LONG else 12
PAST_THE_END = 99  # of the names of a body: it stays as the description shows it
CALLS_REFUSED = 2_000 if IS_LONG else 4  # without a token, which is looked at before all else
RESOURCES = ("tokens", "campaigns", "contacts", "emails", "events", "forms", "templates", "pages", "assets")
# That a valid call may be refused (an unknown template) and an invalid item be reported alone is as specified,
# so schemathesis' checks of acceptance and refusal are not among these.
HELD = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
CSV = b"email,nombre,plan\nana@empresa.example,Ana,b\n"

pytestmark = pytest.mark.timeout(7_200 if IS_LONG else 120)


@pytest.fixture(scope="module")
def app(databases: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on a database that all tests of this module use."""
    folder, url = tmp_path_factory.mktemp("schema"), databases.fresh()
    folders = {"RECORDER_DIR": str(folder / "recorders"), "SPOOL_DIR": str(folder / "spool")}
    with environment(DATABASE_URL=url, LOG_FILE=str(folder / "log"), **folders):
        yield applications.create()
        settled()


@pytest.fixture
def caller(app: Flask) -> Profile:
    """An account that may do everything."""
    return holder("admin")


@pytest.fixture(scope="module")
def known(app: Flask) -> Mapping[str, str]:
    """Return ids that exist, by the names of path parameters; those after `unused_` may be deleted.

    There is also the account that the example of a login logs in to.
    """
    with transaction() as session:
        accounts.create(session, "web-shop", "a long password")
    client, allowed = app.test_client(), authorization(app, holder("admin"), "/")
    client.post("/api/v1/contacts/import", data=CSV, headers=allowed | {"Content-Type": "text/csv"})
    client.post("/api/v1/contacts/suppress", json={"email": "ana@empresa.example"}, headers=allowed)
    email = client.post("/api/v1/emails/send", json=send(), headers=allowed).json
    wanted = {"name": "Otoño", "steps": [{"template": "email_1_roi"}], "variables": VARIABLES}
    campaign = client.post("/api/v1/campaigns", json=wanted, headers=allowed).json
    content: dict[str, Any] = NewVersion.model_json_schema()["examples"][0]
    del content["note"]
    for name in ("vieja", "unused"):
        client.post("/api/v1/templates", json=content | {"name": name, "subject": "Uno"}, headers=allowed)
        etag = client.get(f"/api/v1/templates/{name}", headers=allowed).headers["ETag"]
        client.put(f"/api/v1/templates/{name}", json=content, headers=allowed | {"If-Match": etag})
        client.post(f"/api/v1/templates/{name}/publish", json={"version": 1}, headers=allowed)
    with transaction() as session:
        contact = session.scalar(text("SELECT contact_id FROM emails"))
    draft = client.post("/api/v1/campaigns", json=wanted | {"name": "Invierno"}, headers=allowed).json
    shown: dict[str, Any] = FormWanted.model_json_schema()["examples"][0]
    form = client.post("/api/v1/forms", json=shown | {"slug": "other"}, headers=allowed).json
    page: dict[str, Any] = PageWanted.model_json_schema()["examples"][0]
    for slug in ("vieja", "unused"):
        client.post("/api/v1/pages", json=page | {"slug": slug}, headers=allowed)
    pictures = [
        client.post("/api/v1/assets", data=samples.png(width), headers=allowed | {"Content-Type": "image/png"}).json
        for width in (5, 6)
    ]
    assert email and campaign and draft and form and all(pictures)
    return {"email_id": email["email_id"], "campaign_id": campaign["id"], "contact_id": str(contact),
            "name": "vieja", "slug": form["slug"], "page": "vieja", "digest": pictures[0]["digest"],
            "unused_campaign_id": draft["id"], "unused_name": "unused", "unused_page": "unused",
            "unused_digest": pictures[1]["digest"]}  # fmt: skip


def authorization(app: Flask, account: Profile, path: str) -> dict[str, str]:
    """A fresh token of the kind that the operation takes."""
    pair = bearer_tokens.issue(account, now=datetime.now(UTC))
    return {"Authorization": f"Bearer {pair.refresh if path.endswith('/refresh') else pair.access}"}


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    """The description."""
    served: dict[str, Any] | None = app.test_client().get("/openapi.json").json
    assert served
    return served


@pytest.fixture(scope="module")
def operations(app: Flask) -> list[APIOperation[Any, Any, Any, Any]]:
    """Return all described operations; those that cancel come last, because the others need their objects."""
    described = [found.ok() for found in schemathesis.openapi.from_wsgi("/openapi.json", app).get_all_operations()]
    return sorted(described, key=lambda each: each.path.endswith("/cancel"))


def sound(
    app: Flask, caller: Profile, known: Mapping[str, str], operation: APIOperation[Any, Any, Any, Any],
    shown: dict[str, Any],
) -> Callable[[Case[Any], int | None], None]:  # fmt: skip
    """Return a function that makes a call use ids that exist, with at most one fault; none if `choice` is None."""
    unused = {name.removeprefix("unused_"): value for name, value in known.items() if name.startswith("unused_")}
    places = {**known, **(unused if operation.method == "delete" else {})}
    shown |= {name: known[name] for name in shown.keys() & {"email_id", "contact_id"}}
    if "version" in shown:
        shown["version"] = 1

    def make(case: Case[Any], choice: int | None) -> None:
        if choice is not None:
            case.path_parameters = {name: places[name] for name in case.path_parameters}
            newest = digest(app, caller, case)
            nearly(case, shown | ({"expected": newest} if "expected" in shown else {}), choice)
            case.query.update(dict.fromkeys(case.query.keys() & {"version", "from", "to"}, 1))
            if case.method == "PUT" and case.path.startswith("/api/v1/templates"):
                case.headers["If-Match"] = f'"{newest}"'
        case.headers.update(authorization(app, caller, case.path))

    return make


def digest(app: Flask, caller: Profile, case: Case[Any]) -> str:
    """Return the digest of the newest version of the template or page that a call changes; empty for another call."""
    if case.method != "PUT" or not case.path_parameters.keys() & {"name", "page"}:
        return ""
    path = case.formatted_path
    answer = app.test_client().get(path, headers=authorization(app, caller, path))
    return str((answer.json or {}).get("digest", ""))


def calls(operation: APIOperation[Any, Any, Any, Any]) -> st.SearchStrategy[Case[Any]]:
    """Calls that the description allows, and calls that it does not."""
    return st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))


def example(document: Mapping[str, Any], operation: APIOperation[Any, Any, Any, Any]) -> dict[str, Any]:
    """The body that the description shows, if it shows one."""
    body = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json")
    if body is None:
        return {}
    shown: dict[str, Any] = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]["examples"][0]
    return shown


def nearly(case: Case[Any], shown: Mapping[str, Any], choice: int) -> None:
    """Change the call so that at most one thing is wrong with it: a random body would fail its first check."""
    if isinstance(case.body, dict) and shown:
        names = sorted(case.body, key=str)[choice:][:1]  # none of them when `choice` is past the end
        case.body = {**shown, **{name: case.body[name] for name in names}}
    elif case.media_type == "text/csv":
        case.body = CSV + str(case.body).encode("utf-8", "surrogatepass")
    elif (case.media_type or "").startswith("image/"):
        case.body = samples.png()


def hold(
    operation: APIOperation[Any, Any, Any, Any], make: Callable[[Any, int | None], None], most: int
) -> Counter[int]:
    """Make all calls of an operation, each changed by `make` as drawn; how often each status was answered."""
    answered: Counter[int] = Counter()

    @seed(SEED)
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=calls(operation), choice=st.just(PAST_THE_END) | st.integers(0, 9) | st.none())
    def check(case: Case[Any], choice: int | None) -> None:
        make(case, choice)
        response = case.call()
        answered[response.status_code] += 1
        case.validate_response(response, checks=HELD)

    check()
    return answered


def test_every_operation_is_of_a_resource_that_is_tried(operations: list[APIOperation[Any, Any, Any, Any]]) -> None:
    assert {tag for operation in operations for tag in operation.tags or [""]} == set(RESOURCES)


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_caller_with_a_token_gets_what_is_described(
    app: Flask, caller: Profile, known: Mapping[str, str], document: Mapping[str, Any],
    operations: list[APIOperation[Any, Any, Any, Any]], resource: str,
) -> None:  # fmt: skip
    for operation in operations:
        if resource in (operation.tags or ()):
            answered = hold(operation, sound(app, caller, known, operation, example(document, operation)), CALLS)
            assert any(200 <= status < 300 for status in answered), (operation.label, answered)


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_caller_without_a_token_gets_what_is_described(
    operations: list[APIOperation[Any, Any, Any, Any]], resource: str
) -> None:
    for operation in operations:
        if resource in (operation.tags or ()):
            answered = hold(operation, lambda *_: None, CALLS_REFUSED)
            asks = bool(operation.definition.raw.get("security"))
            assert not asks or set(answered) == {401}, (operation.label, answered)
