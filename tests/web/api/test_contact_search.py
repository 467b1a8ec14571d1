"""Contacts over HTTP: listed by name, filtered, paged; found by address."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from engine.audience import contacts
from engine.audience.contacts import Draft
from models.session import transaction
from tests.sequence import NOW

URL = "/api/v1/contacts"


@pytest.fixture
def keeper(bearer: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The headers of a caller who may read contacts; three contacts exist."""
    drafts = [
        Draft("ana@empresa.example", "Ána", "Ruiz", role="CTO"),
        Draft("eva@empresa.example", "Eva", "Anaya"),
        Draft("luis@empresa.example", "Luis", company="Antena"),
    ]
    with transaction() as session:
        contacts.upsert(session, drafts, now=NOW)
    return bearer("contacts")


def test_contacts_are_listed_by_prefix_and_filter_in_pages(client: FlaskClient, keeper: dict[str, str]) -> None:
    names, after = [], ""
    while after is not None:
        answer = client.get(
            f"{URL}?prefix=an&limit=1&after={after}" if after else f"{URL}?prefix=an&limit=1", headers=keeper
        )
        names += [each["first_name"] for each in answer.json["contacts"]]
        after = answer.json["next"]
    assert names == ["Ána", "Eva", "Luis"]
    (only,) = client.get(f"{URL}?role=CTO", headers=keeper).json["contacts"]
    assert (only["email"], only["followup_status"], only["in_sequence"]) == ("ana@empresa.example", "new", False)
    assert client.get(f"{URL}?role=%00", headers=keeper).json == {"contacts": [], "next": None}
    for wrong, field in (
        ("after=x", "after"),
        ("limit=501", "limit"),
        ("min_score=101", "min_score"),
        ("name=a", "name"),
    ):
        refused = client.get(f"{URL}?{wrong}", headers=keeper)
        assert refused.status_code == 422 and refused.json["errors"][0]["field"] == field


def test_a_contact_is_found_by_address_without_regard_to_case(client: FlaskClient, keeper: dict[str, str]) -> None:
    response = client.post(f"{URL}/find", json={"email": "ANA@empresa.example"}, headers=keeper)
    assert response.status_code == 200 and response.json["last_name"] == "Ruiz"
    unknown = client.post(f"{URL}/find", json={"email": "nadie@empresa.example"}, headers=keeper)
    assert unknown.status_code == 404 and "nadie" not in unknown.text
    assert client.post(f"{URL}/find", json={"email": "nadie"}, headers=keeper).status_code == 422


def test_reading_contacts_needs_the_scope(client: FlaskClient, bearer: Callable[..., dict[str, str]]) -> None:
    for headers, status in ((bearer("reports"), 403), ({}, 401)):
        assert client.get(URL, headers=headers).status_code == status
        assert client.post(f"{URL}/find", json={"email": "a@b.example"}, headers=headers).status_code == status
