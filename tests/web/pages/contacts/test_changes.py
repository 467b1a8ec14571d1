"""Suppressing, releasing, pausing and erasing by pages, and the list of suppressions."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from engine import clock, figures
from engine.audience import contacts, suppressions
from engine.engagement import by_hand
from models import vault
from models.session import transaction
from tests import sequence
from tests.sequence import NOW
from tests.web.pages import visitors

ADDRESS = "contacto0@empresa.example"


@pytest.fixture
def contact(client: FlaskClient) -> UUID:
    """A listed contact, whose page a visitor has open."""
    with transaction() as session:
        (contact_id,) = sequence.people(session, 1)
    visitors.visit(client, "ana", "contacts", path=f"/app/contacts/{contact_id}")
    return contact_id


def _send(client: FlaskClient, contact_id: UUID, change: str, **fields: str) -> int:
    """Open the page of a change, send its form, and return the status."""
    path = f"/app/contacts/{contact_id}/{change}"
    form = {"csrf_token": visitors.token(client.get(path)), **fields}
    return client.post(path, data=form).status_code


def _reason() -> str | None:
    with transaction() as session:
        suppression = suppressions.of_index(session, vault.current().blind_index(ADDRESS))
    return suppression and suppression.reason


def test_an_address_is_suppressed_and_released(client: FlaskClient, contact: UUID) -> None:
    assert _send(client, contact, "suppress") == 303 and _reason() == "manual"
    assert "alguien excluyó la dirección a mano" in client.get(f"/app/contacts/{contact}").text
    assert _send(client, contact, "release") == 303 and _reason() is None
    path = f"/app/contacts/{contact}"
    assert client.get(f"{path}/release").location == path  # for a second person
    asked = client.get(f"{path}/suppress")
    assert client.post(f"{path}/release", data={"csrf_token": visitors.token(asked)}).location == path


def test_a_reason_that_is_not_ours_is_named_and_needs_consent(client: FlaskClient, contact: UUID) -> None:
    with transaction() as session:
        suppressions.add(session, [contact], "complaint", now=NOW)
    assert "se quejó de un correo" in client.get(f"/app/contacts/{contact}/release").text
    assert _send(client, contact, "release") == 422 and _reason() == "complaint"
    assert _send(client, contact, "release", nevertheless="y") == 303 and _reason() is None


def test_a_pause_lasts_until_a_day_and_ends(client: FlaskClient, contact: UUID) -> None:
    today = clock.now().date()
    for wrong in ("", "soon", str(today), "9999-12-31", "0001-01-01"):
        assert _send(client, contact, "pause", until=wrong) == 422, wrong
    assert _send(client, contact, "pause", until=str(today + timedelta(days=9))) == 303
    page = client.get(f"/app/contacts/{contact}").text
    assert "Los correos comerciales esperan hasta el" in page and f"/app/contacts/{contact}/resume" in page
    assert _send(client, contact, "resume") == 303
    assert "esperan hasta" not in client.get(f"/app/contacts/{contact}").text


def test_erasing_needs_the_word(client: FlaskClient, contact: UUID) -> None:
    for wrong in ("", "sí", "ERASE"):
        assert _send(client, contact, "erase", word=wrong) == 422
    assert _send(client, contact, "erase", word=" borrar ") == 303
    with transaction() as session:
        assert contacts.view(session, contact).erased_at is not None
    assert _reason() == "manual"


def test_no_change_without_the_scope_or_the_token(client: FlaskClient, contact: UUID) -> None:
    other = client.application.test_client()
    token = visitors.token(visitors.visit(other, "eva", "reports", path="/app/account"))
    for change in ("suppress", "release", "pause", "resume", "erase", "edit"):
        path = f"/app/contacts/{contact}/{change}"
        assert client.post(path, data={}).status_code == 403
        assert other.post(path, data={"csrf_token": token, "word": "BORRAR"}).status_code == 403
        assert other.get(path).status_code == 403
    assert _reason() is None


def test_suppressions_are_listed_by_reason_and_counted(client: FlaskClient, contact: UUID) -> None:
    with transaction() as session:
        suppressions.add(session, [contact], "complaint", now=NOW)
        suppressions.add_addresses(session, ["nadie@empresa.example"], "hard_bounce", now=NOW + timedelta(days=1))
        by_hand.erase(session, sequence.people(session, 1, prefix="borrado")[0], now=NOW)
        figures.refresh(session, figures.CONTACTS, now=NOW)
    page = client.get("/app/contacts/suppressions").text
    assert page.index("solo se guarda como código") < page.index(ADDRESS)
    assert "todas (3)" in page
    for reason, shows in (("complaint", True), ("hard_bounce", False), ("erased", True), ("<b>", True)):
        assert (ADDRESS in client.get(f"/app/contacts/suppressions?reason={reason}").text) == shows, reason
    assert client.get("/app/contacts/suppressions?after=x").status_code == 422


def test_an_address_that_is_no_contact_is_suppressed_and_released(client: FlaskClient, contact: UUID) -> None:
    path = "/app/contacts/suppressions"
    form = {"csrf_token": visitors.token(client.get(path)), "email": "nadie@empresa.example"}
    refused = client.post(path, data=form | {"email": "nadie@"})
    assert refused.status_code == 422 and 'value="nadie@"' in refused.text
    assert client.post(path, data=form).location == path
    index = re.findall(r'name="index" value="([0-9a-f]+)"', client.get(path).text)[0]
    asked = client.post(f"{path}/release", data=form | {"index": index})
    assert asked.status_code == 200 and "alguien excluyó la dirección a mano" in asked.text
    assert client.post(f"{path}/release", data=form | {"index": index, "is_asked": "1"}).status_code == 303
    with transaction() as session:
        assert suppressions.among(session, ["nadie@empresa.example"]) == 0
    for gone in (index, "00"):
        assert client.post(f"{path}/release", data=form | {"index": gone}).status_code == 303
    assert client.post(f"{path}/release", data=form | {"index": "zz"}).status_code == 404


def test_many_suppressions_are_listed_in_pages(client: FlaskClient, contact: UUID) -> None:
    addresses = [f"baja{number}@empresa.example" for number in range(120)]
    with transaction() as session:
        suppressions.add_addresses(session, addresses[:60], "manual", now=NOW)
        suppressions.add_addresses(session, addresses[60:], "unsubscribed", now=NOW)  # at the same moment
    indexes: list[str] = []
    path: str | None = "/app/contacts/suppressions"
    while path:
        page = client.get(path).text
        assert len(page.encode()) < 40_000
        indexes += re.findall(r'name="index" value="([0-9a-f]+)"', page)
        more = re.search(r'href="([^"]*after=[^"]*)"', page)
        path = more[1].replace("&amp;", "&") if more else None
    assert len(indexes) == len(set(indexes)) == 120
