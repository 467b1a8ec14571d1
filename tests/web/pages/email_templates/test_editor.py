"""The editor: typed sources are tried and shown without being stored, saved as versions, and never lost."""

import re

import pytest
from flask.testing import FlaskClient

from engine.audience import contacts
from engine.audience.contacts import Draft
from models.session import transaction
from tests import sequence
from tests.web.pages import visitors
from tests.web.pages.email_templates import stored
from web.pages.email_templates import framing

NEW, CARTA = "/app/templates/new-template", "/app/templates/carta"
EDIT, CHECK, LIVE = f"{CARTA}/edit", f"{CARTA}/check", f"{CARTA}/live"


@pytest.fixture
def editor(client: FlaskClient) -> FlaskClient:
    """A client of somebody who may edit templates, with a template that is published."""
    visitors.visit(client, "ana", "templates", "campaigns", path="/app/templates")
    stored.create(publish=True)
    return client


def test_a_folder_is_copied_edited_and_published(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "templates", "campaigns", path=f"{NEW}?from=email_1_roi")
    assert re.search('<option selected value="email_1_roi">', page.text)
    form = {"csrf_token": visitors.token(page), "name": "carta", "source": "email_1_roi"}
    made = client.post(NEW, data=form)
    assert made.status_code == 303 and made.location == EDIT, made.text
    edit = client.get(EDIT)
    assert "{{ brand_link_color }}" in edit.text and "borrador: versión 1" in edit.text
    saved = client.post(EDIT, data=stored.form(edit, subject="Otoño para {{ nombre }}", note="Más corto"))
    assert saved.location == f"{EDIT}?saved=2"
    assert f"{CARTA}/versions/2/publish" in client.get(saved.location).text
    asked = client.get(f"{CARTA}/versions/2/publish")
    assert "usarán la versión 2" in asked.text
    assert client.post(f"{CARTA}/versions/2/publish", data=form).status_code == 303
    listed = client.get("/app/templates").text
    assert "Otoño para Ana" in listed and "publicada: versión 2" in listed and ">carpeta<" in listed
    again = client.post(NEW, data=form)
    assert again.status_code == 409 and 'value="carta"' in again.text


def test_a_name_that_cannot_be_one_is_refused_at_its_field(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "templates", path=NEW)
    for name in ("../x", "Con Mayúsculas", "", "email_1_roi", "x" * 51):
        answer = client.post(NEW, data={"csrf_token": visitors.token(page), "name": name, "source": ""})
        assert answer.status_code in (409, 422) and "invalid-feedback" in answer.text, name
    empty = client.post(NEW, data={"csrf_token": visitors.token(page), "name": "vacia", "source": ""})
    shown = client.get(empty.location)
    assert "Hola, {{ nombre }}:" in shown.text


def test_typed_sources_are_tried_and_shown_but_not_stored(editor: FlaskClient) -> None:
    form = stored.form(editor.get(EDIT), subject="Oferta", body='<p>Hola <a href="https://a.example/">a</a></p>')
    tried = editor.post(CHECK, data=form)
    assert tried.status_code == 200 and "Oferta" in tried.text and "data-now" in tried.text
    shown = editor.post(LIVE, data=form)
    assert shown.headers["Content-Security-Policy"] == framing.BODY_POLICY
    assert "https://a.example/" in shown.text and "/c/" not in shown.text and "/o/" not in shown.text
    picture = editor.post(CHECK, data=stored.form(editor.get(EDIT), body='<p>\r\n<img src="https://a.example/a.png">'))
    assert 'data-line="2"' in picture.text and "alt" in picture.text
    assert stored.newest()[0].version == 1


def test_faults_stand_at_their_part_and_line_with_the_source(editor: FlaskClient) -> None:
    page = editor.get(EDIT)
    broken = stored.form(page, body="<p>\r\nuno\r\n{% if %}<script>\r\n</p>")
    tried = editor.post(CHECK, data=broken)
    assert 'data-line="3"' in tried.text and "Cuerpo, línea 3" in tried.text and "data-now" not in tried.text
    assert "<code>{% if %}&lt;script&gt;</code>" in tried.text
    frame = editor.post(LIVE, data=broken)
    assert frame.status_code == 422 and "línea 3" in frame.text and "<script>" not in frame.text
    assert frame.headers["Content-Security-Policy"] == framing.BODY_POLICY
    for changes, words in (
        ({"sample": '{\r\n"nombre": }'}, "Valores de ejemplo, línea 2"),
        ({"sample": "[1]"}, "Valores de ejemplo"),
        ({"body": "<p>{{ otra }}</p>"}, "otra"),
        ({"body": "<p>{% for i in range(10**9) %}x{% endfor %}</p>"}, "Cuerpo"),
        ({"body": '{% include "x.html" %}'}, "Cuerpo, línea 1"),
        ({"subject": ""}, "Asunto"),
    ):
        assert words in editor.post(CHECK, data=stored.form(page, **changes)).text, changes


def test_typed_sources_stay_when_they_cannot_be_saved(editor: FlaskClient) -> None:
    body = "</textarea><script>alert(1)</script>"
    refused = editor.post(EDIT, data=stored.form(editor.get(EDIT), sample="{", body=body, note="mía"))
    assert refused.status_code == 422 and 'value="mía"' in refused.text and 'data-keep="changed"' in refused.text
    assert "&lt;/textarea&gt;&lt;script&gt;" in refused.text and "<script>alert" not in refused.text
    checked = editor.post(EDIT, data=stored.form(editor.get(EDIT), body="<p>otro</p>", check="1"))
    assert checked.status_code == 200 and "&lt;p&gt;otro&lt;/p&gt;" in checked.text
    large = editor.post(EDIT, data=stored.form(editor.get(EDIT), body="x" * 300_000))
    assert large.status_code == 422 and "262144" in large.text.replace(".", "").replace(",", "")
    assert editor.post(EDIT, data=stored.form(editor.get(EDIT), body="x" * 8_100_000)).status_code == 413
    assert stored.newest()[0].version == 1


def test_of_two_who_edit_at_once_the_second_sees_both_and_loses_nothing(editor: FlaskClient) -> None:
    page = editor.get(EDIT)
    mine = stored.form(page, body=stored.HTML.replace("Hola", "Buenos días"))
    assert editor.post(EDIT, data=stored.form(page, body=stored.HTML.replace("Hola", "Saludos"))).status_code == 303
    refused = editor.post(EDIT, data=mine)
    assert refused.status_code == 409 and "ana guardó la versión 2" in refused.text
    assert "<del>− &lt;p&gt;Saludos, {{ nombre }}&lt;/p&gt;</del>" in refused.text
    assert "<ins>+ &lt;p&gt;Buenos días, {{ nombre }}&lt;/p&gt;</ins>" in refused.text
    assert "&lt;p&gt;Buenos días, {{ nombre }}&lt;/p&gt;\n" in refused.text  # in its field
    on_top = editor.post(EDIT, data=stored.form(refused, body=mine["body"]))
    assert on_top.location == f"{EDIT}?saved=3"
    assert editor.post(EDIT, data=stored.form(refused, body=mine["body"])).location == f"{EDIT}?saved=3"  # twice
    assert stored.newest()[0].version == 3


def test_the_values_of_a_preview_are_chosen(editor: FlaskClient) -> None:
    page = editor.get(EDIT)
    odd = editor.post(LIVE, data=stored.form(page, values="oddest")).text
    assert "&lt;b&gt;Ana&lt;/b&gt;" in odd
    assert "María de los Ángeles" in editor.post(LIVE, data=stored.form(page, values="longest")).text
    with transaction() as session:
        contacts.upsert(session, [Draft("eva@empresa.example", first_name="Eva")], now=sequence.NOW)
    chosen = {"values": "contact", "find": "eva@empresa.example"}
    assert "Eva" not in editor.post(LIVE, data=stored.form(page, **chosen)).text
    assert 'value="contact"' not in page.text and 'id="find"' not in page.text
    visitors.grant("ana", "templates", "contacts")
    allowed = editor.get(EDIT)
    assert 'value="contact"' in allowed.text and 'id="find"' in allowed.text
    for written in ("Eva@empresa.example", "ev"):
        assert "Eva" in editor.post(LIVE, data=stored.form(allowed, **chosen | {"find": written})).text
    unknown = editor.post(CHECK, data=stored.form(allowed, values="contact", find="nadie@empresa.example")).text
    assert "Ningún contacto se llama así" in unknown and "nadie@" not in unknown


def test_who_may_not_edit_sees_no_control_and_is_refused(editor: FlaskClient) -> None:
    visitors.visit(editor, "bea", "reports")
    for path in ("/app/templates", CARTA, f"{CARTA}/versions"):
        page = editor.get(path).text
        assert "/edit" not in page and "new-template" not in page and "/delete" not in page, path
    for path in (EDIT, NEW, f"{CARTA}/versions/1/publish", f"{CARTA}/delete"):
        assert editor.get(path).status_code == 403, path
