"""Landing pages by the API: create, save, publish, versions, visits, faults at their fields."""

from typing import Any

from flask.testing import FlaskClient

from engine.landing import starters
from tests.engine.landing import drafts
from tests.engine.landing.drafts import both
from tests.web.examples import fields

PAGES = "/api/v1/pages"


def test_a_page_from_its_creation_to_its_end(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("campaigns")
    made = client.post(PAGES, json={"slug": "guia", **drafts.content()}, headers=headers)
    assert (made.status_code, made.json["version"], made.json["published"]) == (201, 1, None)
    assert made.json["url"].endswith("/p/guia")
    assert client.post(PAGES, json={"slug": "guia", **drafts.content()}, headers=headers).status_code == 409
    change = {**drafts.content(title=both("Otra")), "expected": made.json["digest"]}
    saved = client.put(f"{PAGES}/guia", json=change, headers=headers)
    assert (saved.json["version"], saved.json["title"]) == (2, {"es": "Otra"})
    late = client.put(f"{PAGES}/guia", json={**change, "title": both("Tercera")}, headers=headers)
    assert late.status_code == 409 and saved.json["digest"] in late.json["detail"]
    shown = client.post(f"{PAGES}/guia/publish", json={"version": 1}, headers=headers).json
    assert (shown["published"], shown["warnings"]) == (1, [])
    assert client.post(f"{PAGES}/guia/revert", json={"version": 1}, headers=headers).json["version"] == 3
    versions = client.get(f"{PAGES}/guia/versions", headers=headers).json["versions"]
    assert [each["version"] for each in versions] == [3, 2, 1] and versions[0]["author"].startswith("caller")
    assert [page["slug"] for page in client.get(PAGES, headers=headers).json["pages"]] == ["guia"]
    assert client.get(f"{PAGES}/guia/visits?by=hour", headers=headers).json == {"visits": []}
    assert client.get(f"{PAGES}/guia/visits?by=source", headers=headers).json == {"visits": []}
    assert client.delete(f"{PAGES}/guia", headers=headers).status_code == 409
    assert client.post(f"{PAGES}/guia/unpublish", headers=headers).json["published"] is None
    assert client.delete(f"{PAGES}/guia", headers=headers).json == {"slug": "guia"}
    assert client.get(f"{PAGES}/guia", headers=headers).status_code == 404


def test_faults_name_the_place_in_the_blocks(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("campaigns")
    wrong = {"slug": "../x", **drafts.content(blocks=[{"kind": "heroe"}, {"kind": "hero", "target": "javascript:x"}])}
    answer = client.post(PAGES, json=wrong, headers=headers)
    assert (answer.status_code, fields(answer)) == (422, {"slug"})
    answer = client.post(PAGES, json={**wrong, "slug": "x"}, headers=headers)
    assert fields(answer) == {"blocks[0].kind", "blocks[1].title", "blocks[1].target"}
    many = client.post(PAGES, json={"slug": "x", **drafts.content(blocks=[{"kind": "hero"}] * 10_000)}, headers=headers)
    assert (many.status_code, fields(many)) == (422, {"blocks"}) and len(many.data) < 1_000


def test_only_those_who_may_write_campaigns_change_pages(client: FlaskClient, bearer: Any) -> None:
    body = {"slug": "guia", **drafts.content()}
    assert client.post(PAGES, json=body, headers=bearer("reports")).status_code == 403
    assert client.get(PAGES, headers=bearer("reports")).status_code == 200


def test_publishing_warns_of_texts_of_the_sample(client: FlaskClient, bearer: Any) -> None:
    headers, title = bearer("campaigns"), both("Guía", "Guide")
    client.post(PAGES, json={"slug": "guia", "title": title, **starters.of(title)}, headers=headers)
    warnings = client.post(f"{PAGES}/guia/publish", json={"version": 1}, headers=headers).json["warnings"]
    assert len(warnings) == 2 * 8 and not any("Ventajas" in each for each in warnings)  # six of benefits, two others
    assert "blocks[1].items[0].title.es is still the sample's: 'Primera ventaja'" in warnings
