"""Forms by the API: create, list, show, change, disable; submissions by servers."""

from typing import Any

from flask.testing import FlaskClient

from engine.audience import contacts
from models.session import transaction
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.web.examples import fields

FORMS = "/api/v1/forms"


def test_a_form_from_its_creation_to_its_end(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("campaigns")
    made = client.post(FORMS, json=signups.definition(notify=["jefa@ronda.example"]), headers=headers)
    assert (made.status_code, made.json["notified"], made.json["url"].endswith("/f/guia")) == (201, 1, True)
    assert "jefa" not in made.text
    assert client.post(FORMS, json=signups.definition(), headers=headers).status_code == 409
    changed = {key: value for key, value in signups.definition(title={"es": "Otra"}).items() if key != "slug"}
    assert client.put(f"{FORMS}/guia", json=changed, headers=headers).json["title"] == {"es": "Otra"}
    assert [form["slug"] for form in client.get(FORMS, headers=headers).json["forms"]] == ["guia"]
    assert client.post(f"{FORMS}/guia/disable", headers=headers).json["state"] == "disabled"
    shown = client.get(f"{FORMS}/guia", headers=headers).json
    assert (shown["state"], shown["submitted"], shown["confirmed"]) == ("disabled", 0, 0)
    sent = client.post(f"{FORMS}/guia/submit", json={"email": ADDRESS}, headers=bearer("contacts"))
    assert sent.status_code == 404
    assert client.post(f"{FORMS}/guia/enable", headers=headers).json["state"] == "active"


def test_a_server_submits_and_the_person_confirms(client: FlaskClient, bearer: Any) -> None:
    client.post(FORMS, json=signups.definition(), headers=bearer("campaigns"))
    headers, body = bearer("contacts"), {"email": ADDRESS, "fields": {"first_name": "Ana"}, "consent": True}
    wrong = client.post(f"{FORMS}/guia/submit", json={"email": "x", "fields": {"size": "9"}}, headers=headers)
    assert (wrong.status_code, fields(wrong)) == (422, {"email", "fields.first_name", "fields.size", "consent"})
    sent = client.post(f"{FORMS}/guia/submit", json=body, headers=headers)
    assert (sent.status_code, sent.json) == (202, {"status": "confirm"})
    assert client.get("/api/v1/forms/guia", headers=bearer("reports")).json["pending"] == 1
    signups.confirm()
    with transaction() as session:
        contact_id = contacts.find(session, ADDRESS)
    [consent] = client.get(f"/api/v1/contacts/{contact_id}", headers=headers).json["consents"]
    assert (consent["form"], consent["version"], consent["text"]) == ("guia", 1, "Acepto recibir correos.")


def test_a_slug_with_a_nul_names_no_form(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("campaigns")
    assert client.post(FORMS, json=signups.definition(slug="ab"), headers=headers).status_code == 201
    for action in ("", "/enable", "/disable"):
        call = client.post if action else client.get
        assert call(f"{FORMS}/a%00b{action}", headers=headers).status_code == 404
