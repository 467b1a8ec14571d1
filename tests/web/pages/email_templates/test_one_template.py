"""The pages of templates: the list, and the preview of one, harmless for any template."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.audience import contacts, suppressions
from engine.audience.contacts import Draft
from models.session import transaction
from tests import sequence
from tests.conftest import environment
from tests.web import applications
from tests.web.pages import visitors

ROI = "/app/templates/email_1_roi"
HOSTILE = """<html lang="en"><head><base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=/">
<script>document.title = 'taken over'</script></head><body onload="alert(1)"><form action="https://evil.example/">
<input name="x"><button>Go</button></form><img src="https://evil.example/p.png" onerror="alert(2)">
<a data-no-track href="javascript:alert(3)">press</a> {{ nombre }}</body></html>"""


@pytest.fixture
def hostile(ledger: str, tmp_path: Path) -> FlaskClient:
    """A client of an installation with a hostile template, a broken one and a huge one."""
    texts = {"hostil": ("<script>alert(1)</script> {{ nombre }}", HOSTILE), "roto": ("Hola", "<p>\n{% if %}</p>"),
             "enorme": ("Hola", "<p>" + "Hola " * 1_000_000 + "</p>")}  # fmt: skip
    for name, (subject, html) in texts.items():
        folder = tmp_path / "templates" / name
        folder.mkdir(parents=True)
        (folder / "subject.txt").write_text(subject)
        (folder / "body.html").write_text(html)
        (folder / "sample.json").write_text('{"nombre": "Ana"}')
    with environment(TEMPLATES_DIR=str(tmp_path / "templates")):
        return applications.create().test_client()


def test_the_list_has_subject_variables_and_campaigns(client: FlaskClient) -> None:
    with transaction() as session:
        sequence.create(session, "Otoño <b>")
    page = visitors.visit(client, "ana", "reports", path="/app/templates")
    assert f'href="{ROI}"' in page.text and "<code>link_calendly</code>" in page.text
    assert "Otoño &lt;b&gt;</a>" in page.text and 'aria-current="page">Plantillas' in page.text


def test_a_broken_template_is_shown_with_its_line_beside_the_others(hostile: FlaskClient) -> None:
    page = visitors.visit(hostile, "ana", "campaigns", path="/app/templates")
    assert "body.html, línea 2" in page.text and "No se puede usar" in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Ana" in page.text and "<script>alert" not in page.text
    shown = hostile.get("/app/templates/roto")
    assert shown.status_code == 200 and "body.html, línea 2" in shown.text and "<iframe" not in shown.text
    assert hostile.get("/app/templates/roto/body").status_code == 422


def test_a_long_list_has_pages(ledger: str, tmp_path: Path) -> None:
    for number in range(60):
        folder = tmp_path / "templates" / f"carta_{number:02}"
        folder.mkdir(parents=True)
        for name, content in (("subject.txt", "Hola"), ("body.html", "<p>Hola</p>"), ("sample.json", "{}")):
            (folder / name).write_text(content)
    with environment(TEMPLATES_DIR=str(tmp_path / "templates")):
        client = applications.create().test_client()
    first = visitors.visit(client, "ana", "reports", path="/app/templates")
    assert first.text.count('<th scope="row">') == 50 and "templates?after=carta_49" in first.text
    assert "carta_59" in client.get("/app/templates?after=carta_49").text


def test_a_preview_shows_the_e_mail_in_frames_its_text_and_its_links(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "reports", path=ROI)
    assert page.text.count('sandbox=""') == 2 and 'width="375"' in page.text and 'width="700"' in page.text
    assert "Página de baja; aquí no tiene efecto" in page.text and "https://" in page.text
    assert "Mostrar los valores de ejemplo" not in page.text  # it shows them
    body = client.get(f"{ROI}/body")
    policy = body.headers["Content-Security-Policy"]
    assert (
        policy.startswith("sandbox; default-src 'none'; img-src 'self' data:;") and "frame-ancestors 'self'" in policy
    )
    assert "script" not in policy and body.headers["Cache-Control"] == "no-store"
    assert "/c/" not in body.text and "/o/" not in body.text and "/u/" not in body.text
    assert len(page.data) < 40_000


def test_a_hostile_template_is_harmless_and_a_huge_one_bounded(hostile: FlaskClient) -> None:
    page = visitors.visit(hostile, "ana", "campaigns", path="/app/templates/hostil")
    assert "alert(2)" not in page.text and "dangerous or unknown" not in page.text
    assert "<code>javascript:alert(3)</code>" in page.text and "de tipo peligroso o desconocido" in page.text
    assert "Aquí no se carga 1 imagen de otro servidor" in page.text
    policy = hostile.get("/app/templates/hostil/body").headers["Content-Security-Policy"]
    assert policy == (
        "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; "
        "frame-ancestors 'self'; base-uri 'none'"
    )
    huge = hostile.get("/app/templates/enorme")
    assert huge.status_code == 200 and "más de 262144 bytes" in huge.text and len(huge.data) < 10_000
    assert hostile.get("/app/templates/enorme/body").status_code == 422


def test_the_values_of_a_contact_need_their_scope(client: FlaskClient) -> None:
    with transaction() as session:
        contacts.upsert(session, [Draft("a@empresa.example", first_name="Ana <i>", company="Acme")], now=sequence.NOW)
        contact_id = contacts.find(session, "a@empresa.example")
        campaign_id = sequence.create(session, "Otoño")
    page = visitors.visit(client, "ana", "campaigns", "contacts", path=f"{ROI}?contact={contact_id}")
    assert "Los del contacto Ana &lt;i&gt;" in page.text and "Faltan valores" in page.text
    assert "<code>link_calendly</code>" in page.text and "a@empresa.example" not in page.text
    whole = client.get(f"{ROI}?contact={contact_id}&campaign={campaign_id}").text
    assert "Faltan valores" not in whole and "las variables de la campaña Otoño" in whole
    assert "Ana &lt;i&gt;" in client.get(f"{ROI}/body?contact={contact_id}").text
    visitors.visit(client, "bea", "campaigns")
    for path in (ROI, f"{ROI}/body"):
        assert client.get(f"{path}?contact={contact_id}").status_code == 403


def test_an_unknown_template_gets_an_error_page(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "admin")
    for path in ("/app/templates/otra", "/app/templates/otra/body", f"{ROI}?contact=x", f"{ROI}?campaign={'0' * 32}"):
        assert client.get(path).status_code == 404, path


def _form(page: Any, to: str) -> dict[str, str]:
    return {
        "csrf_token": visitors.token(page),
        "key": re.findall('name="key"[^>]* value="([^"]+)"', page.text)[0],
        "to": to,
    }


def test_a_test_is_sent_once_and_its_state_is_followed(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "campaigns", "contacts", path=ROI)
    form = _form(page, "lucia@empresa.example; bea@empresa.example")
    sent = client.post(f"{ROI}/test", data=form)
    assert sent.status_code == 303 and sent.location.endswith("#tests") and "@" not in sent.location
    assert client.post(f"{ROI}/test", data=form).location == sent.location  # a double click
    shown = client.get(sent.location.partition("#")[0])
    assert "lucia@empresa.example" in shown.text and shown.text.count("en espera") == 2
    follow = re.findall('data-follow="([^"]+)"', shown.text)[0].replace("&amp;", "&")
    with transaction() as session:
        session.execute(text("UPDATE emails SET status = 'failed', response = '550 <no>' WHERE kind = 'test'"))
    part = client.get(follow)
    assert part.text.count("rechazado") == 2 and "550 &lt;no&gt;" in part.text and part.headers["ETag"]


def test_recipients_are_shown_only_to_those_who_may_see_contacts(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "send", path=ROI)
    sent = client.post(f"{ROI}/test", data=_form(page, "lucia@empresa.example"))
    shown = client.get(sent.location.partition("#")[0])
    assert "lucia@" not in shown.text and "Dirección 1" in shown.text


def test_addresses_that_cannot_get_it_are_named_at_the_field(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "campaigns", path=ROI)
    with transaction() as session:
        suppressions.add_addresses(session, ["bea@empresa.example"], "complaint", now=sequence.NOW)
    answer = client.post(f"{ROI}/test", data=_form(page, "<b>, bea@empresa.example"))
    assert answer.status_code == 422 and 'value="&lt;b&gt;, bea@empresa.example"' in answer.text
    assert "La dirección 1 no es válida; escriba" in answer.text and "titular de la dirección 2 se quejó" in answer.text
    for to, words in (("", "Indique al menos una dirección"), ("a@b.example " * 6, "de 1 a 5 direcciones; hay 6")):
        answer = client.post(f"{ROI}/test", data=_form(page, to))
        assert answer.status_code == 422 and words in answer.text


def test_who_may_not_send_sees_no_form_and_is_refused(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "reports", path=ROI)
    assert "/test" not in page.text
    form = {"csrf_token": visitors.token(page), "key": "k", "to": "lucia@empresa.example"}
    assert client.post(f"{ROI}/test", data=form).status_code == 403
    assert client.post(f"{ROI}/test", data=form | {"csrf_token": "x"}).status_code == 403


def test_a_contact_is_chosen_by_name_by_address_or_on_its_page(client: FlaskClient) -> None:
    with transaction() as session:
        contacts.upsert(session, [Draft("a@empresa.example", first_name="Ana", last_name="Gil")], now=sequence.NOW)
        contact_id = contacts.find(session, "a@empresa.example")
    page = visitors.visit(client, "ana", "campaigns", "contacts", path=f"/app/contacts/{contact_id}")
    assert f"/app/templates?contact={contact_id}" in page.text
    assert f"{ROI}?contact={contact_id}" in client.get(f"/app/templates?contact={contact_id}").text
    form = {"csrf_token": visitors.token(page)}
    by_name = client.post(f"{ROI}/contact", data=form | {"find": "an"})
    assert f'{ROI}?contact={contact_id}">Ana Gil</a>' in client.get(by_name.location).text
    by_address = client.post(f"{ROI}/contact?campaign={UUID(int=1)}", data=form | {"find": "A@empresa.example"})
    assert by_address.location == f"{ROI}?campaign={UUID(int=1)}&contact={contact_id}"
    unknown = client.post(f"{ROI}/contact", data=form | {"find": "b@empresa.example"})
    assert unknown.status_code == 404 and "Ningún contacto se llama así" in unknown.text
    visitors.visit(client, "bea", "campaigns")
    assert "Ana" not in client.get(f"{ROI}?find=an").text
    assert client.post(f"{ROI}/contact", data=form | {"find": "an"}).status_code == 403
