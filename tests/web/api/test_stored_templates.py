"""Templates in the database by the API: created, saved by If-Match, checked, published, compared, deleted."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from engine.templates.versions import history
from models.session import transaction
from tests.web.conftest import Call
from tests.web.examples import send

ROOT = "/api/v1/templates"
CONTENT: dict[str, Any] = {"subject": "Hola, {{ nombre }}", "html": "<p>{{ nombre }}</p>", "sample": {"nombre": "Ana"}}


class Api:
    """The API for templates as one caller uses it."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    def __call__(self, method: str, path: str = "", *, match: str | None = None, **json: Any) -> TestResponse:
        headers = self._headers | ({"If-Match": match} if match is not None else {})
        if method in ("GET", "DELETE"):
            return self._client.open(f"{ROOT}{path}", method=method, headers=headers)
        return self._client.open(f"{ROOT}{path}", method=method, headers=headers, json=json)

    def create(self, **changes: Any) -> str:
        created = self("POST", **{"name": "oferta", **CONTENT, **changes})
        assert created.status_code == 201, created.text
        return created.headers["ETag"]


@pytest.fixture
def api(client: FlaskClient, bearer: Call) -> Api:
    return Api(client, bearer("templates"))


def faults(answer: TestResponse) -> list[tuple[str, int | None]]:
    assert answer.status_code == 422, answer.text
    assert answer.content_type == "application/problem+json"
    return [(fault["field"], fault.get("line")) for fault in answer.json["errors"]]


def test_a_template_is_created_saved_and_published_and_a_send_uses_it(
    api: Api, client: FlaskClient, bearer: Call
) -> None:
    etag = api.create(note="primera")
    saved = api("PUT", "/oferta", match=etag, **CONTENT | {"subject": "Dos, {{ nombre }}"})
    assert (saved.status_code, saved.json["version"], saved.json["author"][:6]) == (200, 2, "caller")
    assert api("PUT", "/oferta", match=etag, **CONTENT | {"subject": "Dos, {{ nombre }}"}).json == saved.json
    wanted = send(template="oferta", variables={"nombre": "Ana"})
    headers = bearer("send")
    refused = client.post("/api/v1/emails/send", json=wanted, headers=headers)
    assert faults(refused) == [("template", None)]  # it is a draft
    assert api("POST", "/oferta/publish", version=2).json["is_published"]
    accepted = client.post("/api/v1/emails/send", json=wanted, headers=headers)
    assert accepted.status_code == 202
    story = client.get(f"/api/v1/emails/{accepted.json['email_id']}", headers=headers).json
    assert (story["template"], story["template_version"], story["subject"]) == ("oferta", 2, "Dos, Ana")
    [listed] = [each for each in api("GET").json["templates"] if each["name"] == "oferta"]
    assert (listed["source"], listed["published_version"], listed["newest_version"]) == ("database", 2, 2)


def test_of_two_who_save_at_once_the_second_gets_409(api: Api) -> None:
    etag = api.create()
    assert api("PUT", "/oferta", **CONTENT).status_code == 428
    assert api("PUT", "/oferta", match=etag, **CONTENT | {"subject": "Suyo"}).status_code == 200
    late = api("PUT", "/oferta", match=etag, **CONTENT | {"subject": "Mío"})
    assert (late.status_code, etag.strip('"')[:50] in late.json["detail"]) == (409, True)
    newest = api("GET", "/oferta")
    assert (newest.json["subject"], newest.json["version"]) == ("Suyo", 2)
    assert newest.headers["ETag"] in (f'"{newest.json["digest"]}"', late.headers.get("ETag"))


def test_a_folder_is_read_and_copied_but_not_changed(api: Api) -> None:
    shown = api("GET", "/email_1_roi")
    assert (shown.json["source"], shown.json["version"]) == ("folder", None)
    assert "{{ brand_name }}" in shown.json["html"]
    assert "{% extends" not in shown.json["html"]
    for refused in (api("PUT", "/email_1_roi", match="x", **CONTENT), api("DELETE", "/email_1_roi")):
        assert (refused.status_code, "folder" in refused.json["detail"]) == (404, True)
    copied = api("POST", "/email_1_roi/clone", name="oferta")
    assert (copied.status_code, copied.json["digest"]) == (201, shown.json["digest"])
    assert api("POST", "/email_1_roi/clone", name="oferta").status_code == 409
    assert api("POST", "/email_1_roi/clone", name="email_2_caso").status_code == 409
    assert api("POST", "/email_1_ro/clone", name="x").status_code == 404


def test_faults_have_the_field_and_the_line(api: Api) -> None:
    api.create(html="<p>\n{{ nombre|nofilter }}")
    assert faults(api("POST", "/oferta/validate")) == [("html", 2)]
    assert faults(api("POST", "/oferta/publish", version=1)) == [("html", 2)]
    assert faults(api("POST", "/oferta/validate", **CONTENT | {"text": "a\nb\n{% if %}"})) == [("text", 3)]
    assert faults(api("POST", "/oferta/validate", **CONTENT | {"sample": {}})) == [("sample", None)]
    valid = api("POST", "/oferta/validate", **CONTENT | {"html": "<p>\n<b>{{ nombre }}</p>"}).json
    assert (valid["status"], valid["required"]) == ("valid", ["nombre"])
    assert [(each["part"], each["line"], each["code"]) for each in valid["findings"]] == [
        ("body.html", 1, "preheader"),
        ("body.html", 1, "unsubscribe"),
        ("body.html", 2, "unbalanced"),
    ]
    assert faults(api("POST", name="../x", **CONTENT)) == [("name", None)]
    assert faults(api("POST", name="otra", **CONTENT | {"html": "x" * 300_000})) == [("html", None)]
    assert api("POST", name="otra", **CONTENT | {"html": "x" * 1_100_000}).status_code == 413


def test_versions_are_listed_compared_and_reverted(api: Api) -> None:
    etag = api.create()
    api("PUT", "/oferta", match=etag, **CONTENT | {"subject": "Dos", "preheader": "Línea"})
    reverted = api("POST", "/oferta/revert", version=1, note="Como antes")
    assert (reverted.json["version"], reverted.headers["ETag"]) == (3, etag)
    page = api("GET", "/oferta/versions").json
    assert ([each["version"] for each in page["versions"]], page["next"]) == ([3, 2, 1], None)
    assert [each["version"] for each in api("GET", "/oferta/versions?before=2").json["versions"]] == [1]
    assert api("GET", "/oferta/diff?from=1&to=2").json["parts"] == {
        "subject": ["@@ -1 +1 @@", "-Hola, {{ nombre }}", "+Dos"],
        "preheader": ["@@ -0,0 +1 @@", "+Línea"],
    }
    assert api("GET", "/oferta?version=2").json["subject"] == "Dos"
    for missing in ("/oferta?version=9", "/oferta/diff?from=1&to=9", "/nada/versions", "/%00/versions", "/%00"):
        assert api("GET", missing).status_code == 404, missing
    assert api("POST", "/oferta/publish", version=9).status_code == 404


def test_a_used_template_is_not_deleted(api: Api) -> None:
    api.create()
    api("POST", "/oferta/publish", version=1)
    with transaction() as session:
        session.execute(text("INSERT INTO campaigns (name) VALUES ('Otoño')"))
        session.execute(
            text("INSERT INTO campaign_steps (campaign_id, step, template, subject, delay_s) "
                 "SELECT id, 1, 'oferta', 'x', 0 FROM campaigns")
        )  # fmt: skip
    used = api("DELETE", "/oferta")
    assert (used.status_code, "Otoño" in used.json["detail"]) == (409, True)
    with transaction() as session:
        session.execute(text("UPDATE campaigns SET state = 'finished'"))
    assert api("DELETE", "/oferta").json == {"name": "oferta", "status": "deleted"}
    assert api("GET", "/oferta").status_code == 404


def test_changes_need_their_scope(api: Api, client: FlaskClient, bearer: Call) -> None:
    api.create()
    reader = Api(client, bearer("send", "campaigns", "contacts", "reports"))
    assert reader("GET", "/oferta").status_code == 200
    for method, path in (
        ("POST", ""), ("PUT", "/oferta"), ("DELETE", "/oferta"), ("POST", "/oferta/validate"),
        ("POST", "/oferta/publish"), ("POST", "/oferta/revert"), ("POST", "/oferta/clone"),
    ):  # fmt: skip
        assert reader(method, path).status_code == 403, path


def test_templates_are_listed_in_pages_among_those_of_the_folder(api: Api) -> None:
    api.create(name="oferta_000")
    with transaction() as session:
        session.execute(
            text("""
            WITH copies AS (
                INSERT INTO templates (id, name, created_at, newest_version)
                SELECT gen_random_uuid(), 'oferta_' || lpad(n::text, 3, '0'), now(), 1 FROM generate_series(1, 120) AS n
                RETURNING id
            )
            INSERT INTO template_versions (template_id, version, subject, preheader, html, sample, digest, created_at)
            SELECT copies.id, 1, v.subject, v.preheader, v.html, v.sample, v.digest, now()
              FROM copies CROSS JOIN template_versions v""")
        )
        stored = [each.name for each in history.every(session)]
    first = api("GET").json
    second = api("GET", f"?after={first['next']}").json
    names = [each["name"] for page in (first, second) for each in page["templates"]]
    assert (len(first["templates"]), first["next"], second["next"]) == (100, first["templates"][-1]["name"], None)
    assert names == sorted(set(names)) and {"carta_es", "signup_notice"} < set(names)
    assert [name for name in names if name.startswith("oferta")] == stored == [f"oferta_{n:03}" for n in range(121)]
