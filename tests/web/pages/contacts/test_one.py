"""One contact on its page: details, score, campaigns with reasons, timeline; editing it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.audience import contacts
from engine.audience.contacts import Draft
from engine.campaigns import campaigns, explain, stops
from engine.campaigns.explain import Situation
from engine.engagement import by_hand
from models.session import transaction
from tests import sequence
from tests.sequence import NOW
from tests.web.pages import visitors
from web.pages.contacts import words

EMOJI = "\U0001f469\u200d\U0001f680" * 33


def _contact(first_name: str = "Eva", **details: Any) -> UUID:
    with transaction() as session:
        contacts.upsert(session, [Draft("eva@empresa.example", first_name, **details)], now=NOW)
        contact_id = contacts.find(session, "eva@empresa.example")
    assert contact_id is not None
    return contact_id


def _path(contact_id: UUID, change: str = "") -> str:
    return f"/app/contacts/{contact_id}{change and '/'}{change}"


def test_a_page_tells_what_happened_and_why(client: FlaskClient) -> None:
    contact_id = _contact(company="Óptica")
    with transaction() as session:
        campaign_id = sequence.create(session, "Otoño")
        campaigns.launch(session, campaign_id, now=NOW)
        sequence.send_due(session, now=NOW)
        session.execute(
            text("UPDATE emails SET opened_at = :at, machine_clicked_at = :at"), {"at": NOW + timedelta(hours=1)}
        )
        session.execute(text("UPDATE contacts SET email_1_opened = true, email_1_clicked = true, score = 25"))
        stops.stop(session, [contact_id], "replied", now=NOW + timedelta(days=1))
    page = visitors.visit(client, "ana", "contacts", path=_path(contact_id)).text
    assert "Se envió 1 correo. Se detuvo el 3 nov 2026, 9:00 UTC: el contacto respondió." in page.replace(
        "09:00", "9:00"
    )
    assert "correos abiertos: 5 puntos" in page and "correos con clic: 20 puntos" in page
    events = re.findall(r'<th scope="row" class="fw-normal">([^<]+?) *<', page)
    assert events[:2] == ["Secuencia detenida", "Correo abierto"] or "Clic de una máquina" in events[1]
    assert {"Correo enviado", "Entró en la campaña", "Importado o añadido", "Clic de una máquina"} <= set(events)
    assert page.count("no cuenta") == 1


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", EMOJI, "a" * 100])
def test_any_name_is_shown_as_text(client: FlaskClient, name: str) -> None:
    contact_id = _contact(name, company=name, attributes={name[:50]: name})
    visitors.visit(client, "ana", "contacts", path=_path(contact_id))
    for path in (_path(contact_id), "/app/contacts", _path(contact_id, "edit"), _path(contact_id, "erase")):
        page = client.get(path)
        assert page.status_code == 200 and len(page.data) < 40_000
        assert "<script>alert" not in page.text and name.replace("<", "&lt;").replace(">", "&gt;") in page.text


def test_an_erased_contact_and_one_with_a_damaged_address_are_shown(client: FlaskClient) -> None:
    contact_id = _contact()
    visitors.visit(client, "ana", "contacts", path=_path(contact_id))
    with transaction() as session:
        session.execute(text("UPDATE contacts SET email = 'damaged'"))
    assert "no se puede descifrar" in client.get(_path(contact_id)).text
    with transaction() as session:
        by_hand.erase(session, contact_id, now=NOW)
    page = client.get(_path(contact_id)).text
    assert "Contacto borrado" in page and "Eva" not in page and _path(contact_id, "edit") not in page
    for change in ("edit", "suppress", "release", "pause", "resume", "erase"):
        assert client.get(_path(contact_id, change)).status_code == 404, change


def _situations() -> Iterator[Situation]:
    for code in explain.CODES:
        reasons = words.STOPPED if code == "stopped" else ("", "451 later <b>")
        for reason in reasons:
            yield Situation(code, 0, 2, at=NOW, reason=reason)
    yield Situation("due", 3, 2, at=None, fault="host: no such <file>")


def test_every_situation_has_words_in_both_languages(app: Flask) -> None:
    source = "{% import 'pages/contacts/parts.html' as people with context %}{{ people.situation(it) }}"
    for language, other in (("es", "The|Step|e-mail|because"), ("en", "El|correo|porque")):
        with app.test_request_context(headers={"Accept-Language": language}):
            for it in _situations():
                sentence = render_template_string(source, it=it, stop_reasons=words.STOPPED)
                assert len(sentence) > 20 and "<b>" not in sentence and "<file>" not in sentence
                assert not re.search(rf"\b(?:{other})\b", sentence), (language, sentence)


def test_the_timeline_goes_on_in_pages(client: FlaskClient) -> None:
    contact_id = _contact()
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO emails (contact_id, template, subject, lane, kind, message_id, due_at, status, sent_at) "
                "SELECT :id, 't' || n, '', 'campaign', 'test', '', :now, 'sent', :now + n * interval '1 minute' "
                "FROM generate_series(1, 70) n"
            ),
            {"id": contact_id, "now": NOW},
        )
    first = visitors.visit(client, "ana", "contacts", path=_path(contact_id)).text
    templates = re.findall(r"<code>(t\d+)</code>", first)
    assert first.count(">prueba<") == 50 and "sin correos de campaña todavía" in first
    more = re.search(r'href="([^"]*before=[^"]*)#', first)
    assert more is not None
    second = client.get(more[1].replace("&amp;", "&"))
    assert len(templates) == 50 and not set(templates) & set(
        re.findall(r"<code>(t\d+)</code>.{0,100}sent", second.text)
    )
    assert second.status_code == 200 and "Puntuación" not in second.text
    assert client.get(f"{_path(contact_id)}?before=x").status_code == 422


def test_a_contact_is_edited_and_its_fields_cleared(client: FlaskClient) -> None:
    contact_id = _contact(role="CTO", timezone="Europe/Madrid", attributes={"origen": "feria", "nota": "a\nb"})
    page = visitors.visit(client, "ana", "contacts", path=_path(contact_id, "edit"))
    assert 'value="CTO"' in page.text and "origen" in page.text
    form = {"csrf_token": visitors.token(page), "first_name": "Eva María", "role": "", "timezone": "madrid"}
    rows = {"attributes-0-name": "nota", "attributes-0-value": "", "attributes-1-name": "origen",
            "attributes-1-value": "web", "attributes-2-name": "plan", "attributes-2-value": "pro"}  # fmt: skip
    refused = client.post(_path(contact_id, "edit"), data=form | rows)
    assert refused.status_code == 422 and "Europe/Madrid" in refused.text and 'value="madrid"' in refused.text
    right = form | rows | {"timezone": "europe/madrid", "locale": "Spanish", "listed": "y"}
    assert client.post(_path(contact_id, "edit"), data=right).location == _path(contact_id)
    with transaction() as session:
        view = contacts.view(session, contact_id)
    assert (view.first_name, view.role, view.timezone, view.locale) == ("Eva María", None, "Europe/Madrid", "es")
    assert view.attributes == {"origen": "web", "plan": "pro"} and view.listed_at is not None
    client.post(_path(contact_id, "edit"), data={"csrf_token": form["csrf_token"]})
    with transaction() as session:
        view = contacts.view(session, contact_id)
    assert view.first_name is None and view.listed_at is None and view.attributes == {"origen": "web", "plan": "pro"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("first_name", "a" * 101), ("role", "a\u0000b"), ("company", "a\nb"), ("timezone", "Madrit"),
     ("locale", "klingon!"), ("attributes-0-value", "without a name"), ("email", "nobody"), ("email", "")],
)  # fmt: skip
def test_an_invalid_detail_is_refused_at_its_field_and_kept(client: FlaskClient, field: str, value: str) -> None:
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts/new")
    form = {"csrf_token": visitors.token(page), "email": "nueva@empresa.example", "last_name": "Gil", field: value}
    answer = client.post("/app/contacts/new", data=form)
    assert answer.status_code == 422 and answer.text.count("invalid-feedback") == 1 and 'value="Gil"' in answer.text
    with transaction() as session:
        assert contacts.find(session, "nueva@empresa.example") is None


def test_adding_a_contact_who_exists_changes_nothing(client: FlaskClient) -> None:
    contact_id = _contact()
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts/new")
    form = {"csrf_token": visitors.token(page), "email": "EVA@empresa.example", "first_name": "Otra"}
    answer = client.post("/app/contacts/new", data=form)
    assert answer.status_code == 422 and _path(contact_id) in answer.text
    with transaction() as session:
        assert contacts.view(session, contact_id).first_name == "Eva"
