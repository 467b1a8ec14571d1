"""Searching contacts on their page."""

import re

from flask.testing import FlaskClient

from engine.audience import contacts, suppressions
from engine.audience.contacts import Draft
from models.session import transaction
from tests.sequence import NOW
from tests.web.pages import visitors

HOSTILE = "<script>alert(1)</script>"


def _add(*drafts: Draft) -> None:
    with transaction() as session:
        contacts.upsert(session, drafts, now=NOW)


def test_a_search_by_address_goes_to_the_contact_and_leaves_it_in_no_link(client: FlaskClient) -> None:
    _add(Draft("ana@empresa.example", "Ana", HOSTILE))
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts")
    form = {"csrf_token": visitors.token(page), "text": " Ana@EMPRESA.example "}
    answer = client.post("/app/contacts/find", data=form)
    assert re.fullmatch(r"/app/contacts/[0-9a-f-]{36}", answer.location)
    shown = client.get(answer.location)
    assert shown.status_code == 200 and "ana@empresa.example" in shown.text
    assert HOSTILE not in shown.text and "&lt;script&gt;" in shown.text
    assert client.post("/app/contacts/find", data=form | {"csrf_token": "x"}).status_code == 403


def test_an_unknown_address_is_offered_to_be_added(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts")
    form = {"csrf_token": visitors.token(page), "text": "nueva@empresa.example"}
    answer = client.post("/app/contacts/find", data=form)
    assert answer.status_code == 404 and 'value="nueva@empresa.example"' in answer.text
    added = client.post("/app/contacts/new", data=form | {"email": "nueva@empresa.example", "listed": "y"})
    assert added.status_code == 303
    assert client.post("/app/contacts/find", data=form).location == added.location


def test_a_refused_address_stays_in_its_field(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts")
    form = {"csrf_token": visitors.token(page), "text": "ana@", "industry": "Marketing"}
    answer = client.post("/app/contacts/find", data=form)
    assert answer.status_code == 422 and 'value="ana@"' in answer.text and 'value="Marketing"' in answer.text
    assert "name@company.example" in answer.text or "nombre@empresa.example" in answer.text


def test_an_address_in_a_link_is_refused_and_not_repeated(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts")
    for field in ("text", "industry", "role"):
        answer = client.get(f"/app/contacts?{field}=ana@empresa.example")
        assert answer.status_code == 422 and "ana@empresa.example" not in answer.text
    form = {"csrf_token": visitors.token(page), "role": "ana@empresa.example"}
    assert client.post("/app/contacts/find", data=form).status_code == 422


def test_a_search_by_name_is_a_link_with_its_filters_and_pages(client: FlaskClient) -> None:
    _add(*(Draft(f"ana{number}@empresa.example", f"Ána {number:02}", role="CTO") for number in range(60)))
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts")
    form = {"csrf_token": visitors.token(page), "text": "ana", "role": "CTO", "min_score": ""}
    response = client.post("/app/contacts/find", data=form)
    assert response.location == "/app/contacts?text=ana&role=CTO"
    first = client.get(response.location).text
    assert "Ána 00" in first and "Ána 49" in first and "Ána 50" not in first
    more = re.search(r'href="([^"]*after=[^"]*)"', first)
    assert more is not None
    second = client.get(more[1].replace("&amp;", "&")).text
    assert "Ána 50" in second and "Ána 59" in second and "Ána 49" not in second
    assert client.get("/app/contacts?after=x").status_code == 422
    for wrong in ("min_score=abc", "min_score=101", "status=unknown"):
        assert client.get(f"/app/contacts?{wrong}").status_code == 422, wrong


def test_states_stand_in_words_and_a_near_word_is_offered(client: FlaskClient) -> None:
    _add(Draft("ana@empresa.example", "Ana", industry="Marketing"), Draft("eva@empresa.example"))
    with transaction() as session:
        suppressions.add_addresses(session, ["ana@empresa.example"], "complaint", now=NOW)
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts")
    assert "se quejó de un correo" in page.text and "eva@empresa.example" in page.text
    near = client.get("/app/contacts?industry=marketing&min_score=0").text
    assert "¿Quería decir" in near and 'href="/app/contacts?industry=Marketing&amp;min_score=0"' in near


def test_without_the_scope_the_pages_are_hidden_and_refused(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "reports")
    assert 'href="/app/contacts"' not in page.text
    for path in ("/app/contacts", "/app/contacts/new", "/app/contacts/suppressions"):
        assert client.get(path).status_code == 403, path
    assert client.post("/app/contacts/find", data={"csrf_token": visitors.token(page)}).status_code == 403


def test_contacts_are_counted_as_they_are_now(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "contacts", path="/app/contacts")
    assert "0 contactos, 0 de ellos" in page.text
    _add(Draft("ana@empresa.example"), Draft("eva@empresa.example"))
    assert "2 contactos, 2 de ellos" in client.get("/app/contacts").text
