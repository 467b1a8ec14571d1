"""Pages of sign-up forms: create, change, disable, figures, people."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.forms import forms
from models.session import transaction
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.web.pages import visitors

NEW = "/app/forms/new"
FILLED = {
    "slug": "guia",
    "title_es": "Guía <b>",
    "rows-0-name": "first_name",
    "rows-0-label_es": "Nombre",
    "rows-0-required": "y",
    "rows-1-name": "size",
    "rows-1-label_es": "Tamaño",
    "rows-1-options": "1-10\r\n11-50\r\n",
    "consent_es": "Acepto\r\nrecibir correos.",
    "double_opt_in": "y",
    "attributes": "origen=guia",
    "origins": "https://www.tienda.example/",
    "notify": "jefa@empresa.example",
}


def send(client: FlaskClient, path: str, **changes: str) -> Any:
    """Send the editor with `FILLED` and these changes."""
    page = client.get(path)
    version = re.findall(r'name="version"[^>]* value="([^"]*)"', page.text)
    data = FILLED | {"csrf_token": visitors.token(page), "version": version[0] if version else ""} | changes
    return client.post(path, data=data)


def stored() -> forms.StoredForm:
    with transaction() as session:
        return forms.by_slug(session, "guia")


def names(page: Any) -> list[str]:
    return re.findall(r'name="rows-\d-name"[^>]* value="([^"]*)"', page.text)


@pytest.fixture
def marketer(client: FlaskClient) -> FlaskClient:
    visitors.visit(client, "ana", "campaigns", "contacts", path=NEW)
    return client


def test_a_form_is_created_shown_changed_and_closed(marketer: FlaskClient) -> None:
    assert send(marketer, NEW).location == "/app/forms/guia"
    made = stored().definition
    assert (made.title, made.consent) == ({"es": "Guía <b>"}, {"es": "Acepto recibir correos."})
    assert [(each.name, each.required, each.options) for each in made.fields] == [
        ("first_name", True, ()), ("size", False, ("1-10", "11-50")),
    ]  # fmt: skip
    assert (made.attributes, made.origins) == ({"origen": "guia"}, ("https://www.tienda.example",))
    page = marketer.get("/app/forms/guia")
    assert "Guía &lt;b&gt;" in page.text and "&lt;script src=&#34;" in page.text and "/f/guia.js" in page.text
    assert "Guía &lt;b&gt;" in marketer.get("/app/forms").text
    frame = marketer.get("/app/forms/guia/preview?lang=es")
    assert "Nombre" in frame.text and "form-action 'none'" in frame.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in frame.headers["Content-Security-Policy"]
    assert send(marketer, "/app/forms/guia/edit", title_es="Otra", consent_es="Otro texto.").status_code == 303
    again = marketer.get("/app/forms/guia")
    assert "Otra" in again.text and "Otro texto." in again.text and "Acepto recibir correos." in again.text
    assert stored().definition.notify == ("jefa@empresa.example",)
    marketer.post("/app/forms/guia/disable", data={"csrf_token": visitors.token(again)})
    assert not stored().is_active and marketer.get("/f/guia").status_code == 404


def test_fields_are_added_moved_and_removed_without_scripts_and_nothing_is_stored(marketer: FlaskClient) -> None:
    assert names(send(marketer, NEW, action="add")) == ["first_name", "size", ""]
    assert names(send(marketer, NEW, action="up-1")) == ["size", "first_name"]
    assert names(send(marketer, NEW, action="down-0")) == ["size", "first_name"]
    removed = send(marketer, NEW, action="remove-0")
    assert names(removed) == ["size"] and "Acepto" in removed.text and "Tamaño" in removed.text
    for odd in ("remove-9", "up-x", "down-1", "what", "up-0"):
        assert names(send(marketer, NEW, action=odd)) == ["first_name", "size"]
    with transaction() as session:
        assert forms.page(session) == []


def test_faults_stand_at_their_fields_and_what_was_typed_stays(marketer: FlaskClient) -> None:
    wrong = {
        "slug": "new", "title_es": "", "rows-1-name": "Tamaño", "rows-0-label_es": "", "origins": "tienda.example\nx",
        "redirect": "https://evil.example/", "notify": "jefa@", "campaign_id": "x", "attributes": "Origen",
    }  # fmt: skip
    page = send(marketer, NEW, **wrong)
    assert page.status_code == 422 and 'value="https://evil.example/"' in page.text
    for words in ("está reservado o ya existe", "indique un texto en español, en inglés o en ambos", "línea 2",
                  "empezando por una letra", "no es uno de los sitios", "no existe ninguna campaña"):  # fmt: skip
        assert words in page.text.lower(), words
    assert page.text.count("is-invalid") >= 8
    send(marketer, NEW)
    assert send(marketer, NEW).status_code == 409


def test_of_two_people_who_change_a_form_the_second_is_told(marketer: FlaskClient) -> None:
    send(marketer, NEW)
    old = stored().updated_at.isoformat()
    send(marketer, "/app/forms/guia/edit", title_es="Primera")
    second = send(marketer, "/app/forms/guia/edit", title_es="Segunda", version=old)
    assert second.status_code == 409 and stored().definition.title == {"es": "Primera"}
    assert 'value="Segunda"' in second.text and "entretanto" in second.text


def test_people_are_shown_to_those_who_may_see_contacts_only(client: FlaskClient) -> None:
    with transaction() as session:
        form = signups.create(session, notify=["jefa@empresa.example"])
    signups.submit(form, first_name="<script>alert(1)</script>")
    visitors.visit(client, "luz", "contacts", path="/app/contacts")
    pending = client.get("/app/forms/guia/people")
    assert ADDRESS in pending.text and "&lt;script&gt;alert(1)" in pending.text and "<script>alert" not in pending.text
    signups.confirm()
    confirmed = client.get("/app/forms/guia/people?state=confirmed")
    with transaction() as session:
        contact_id = session.scalar(text("SELECT contact_id FROM form_submissions"))
    assert f"/app/contacts/{contact_id}" in confirmed.text and ADDRESS not in client.get("/app/forms/guia/people").text
    visitors.visit(client, "ana", "campaigns", path="/app/forms/guia")
    assert client.get("/app/forms/guia/people").status_code == 403
    assert "jefa@" not in client.get("/app/forms/guia/edit").text
    assert send(client, "/app/forms/guia/edit", notify="").status_code == 303
    assert stored().definition.notify == ("jefa@empresa.example",)
