"""Contacts over HTTP: imported with a report by row, and explained."""

from collections.abc import Callable, Iterator
from io import BytesIO
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from engine import clock
from engine.audience import contacts, imports, suppressions
from engine.audience.import_report import Page
from engine.campaigns import campaigns
from errors import InvalidInput
from models.session import transaction
from tests import sequence
from web.api import contacts as routes

URL = "/api/v1/contacts"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def keeper(bearer: Callable[..., dict[str, str]]) -> dict[str, str]:
    return bearer("contacts")


def imported(address: str) -> UUID:
    with transaction() as session:
        contact_id = contacts.find(session, address)
    assert contact_id is not None
    return contact_id


def test_import_takes_the_good_rows_and_reports_the_bad_ones_by_line(
    client: FlaskClient, keeper: dict[str, str]
) -> None:
    data = "\ufeffcorreo;nombre;plan\nana@a.example;Ana;b\nmala;Eva;\nANA@a.example;Otra;\n".encode()
    answer = client.post(f"{URL}/import", data=data, headers={**keeper, **CSV})
    assert answer.status_code == 200
    counts = {name: answer.json[name] for name in ("rows", "created", "duplicates", "refused", "suppressed")}
    assert counts == {"rows": 3, "created": 1, "duplicates": 1, "refused": 1, "suppressed": 0}
    assert [(fault["line"], fault["field"]) for fault in answer.json["faults"]] == [(3, "email")]
    assert [note["line"] for note in answer.json["notes"]] == [4]
    assert "ana@" not in answer.text.lower()
    assert "mala" not in answer.text


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"nombre\nAna\n", CSV, 422),
        (b"", CSV, 422),
        (b"email\nana@a.example\n", {"Content-Type": "application/json"}, 415),
        (b"email\nana@a.example\n", {"Content-Type": "text/csv; charset=latin-1"}, 415),
        (b"email\n" + b"a" * 8_000_001, CSV, 413),
        (b"email\n\x00@a.example,\xff\xfe\n" + b'"' * 1001, CSV, 200),
        (b"PK\x03\x04[Content_Types].xml", CSV, 422),
        (b"\xff\xfee\x00", CSV, 422),
    ],
)
def test_import_refuses_what_is_no_table_of_contacts(
    client: FlaskClient, keeper: dict[str, str], data: bytes, headers: dict[str, str], status: int
) -> None:
    answer = client.post(f"{URL}/import", data=data, headers={**keeper, **headers})
    assert answer.status_code == status, answer.json


def test_import_reports_columns_and_obeys_a_mapping_and_a_dry_run(client: FlaskClient, keeper: dict[str, str]) -> None:
    data = "Interés,E-mail 1 - Value,E-mail 2 - Value,Baja,Notas\nVinos,a@a.example,b@a.example,sí,x\n".encode()
    query = [("map", "E-mail 2 - Value=email"), ("map", "Interés=industry"), ("dry_run", "true")]
    dry = client.post(f"{URL}/import", data=data, headers={**keeper, **CSV}, query_string=query).json
    assert (dry["rows"], dry["created"], dry["opted_out"], dry["suppressed"]) == (1, 1, 1, 1)
    columns = {column["name"]: (column["meaning"], column["by"]) for column in dry["file"]["columns"]}
    assert columns == {
        "Interés": ("industry", "map"),
        "E-mail 1 - Value": (None, None),
        "E-mail 2 - Value": ("email", "map"),
        "Baja": ("opt_out", "name"),
        "Notas": (None, None),
    }
    with transaction() as session:
        assert contacts.find(session, "b@a.example") is None
        assert suppressions.among(session, ["b@a.example"]) == 0
    real = client.post(f"{URL}/import", data=data, headers={**keeper, **CSV}, query_string=query[:2]).json
    assert real == dry
    shown = client.get(f"{URL}/{imported('b@a.example')}", headers=keeper).json
    assert (shown["suppressed"], shown["followup_status"], shown["industry"]) == (
        "unsubscribed",
        "unsubscribed",
        "Vinos",
    )


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ({"map": "correo=email"}, "map", "no column 'correo'; its columns are email, nombre"),
        ({"dryrun": "true"}, "dryrun", "did you mean dry_run?"),
        ({"encoding": "klingon"}, "encoding", "give one such as utf-8"),
    ],
)
def test_import_refuses_options_that_fit_nothing(
    client: FlaskClient, keeper: dict[str, str], query: dict[str, str], field: str, says: str
) -> None:
    data = "email,nombre\na@a.example,Ana\n"
    answer = client.post(f"{URL}/import", data=data, headers={**keeper, **CSV}, query_string=query)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)
    assert says in answer.text


def test_show_tells_flags_score_and_why(client: FlaskClient, keeper: dict[str, str]) -> None:
    client.post(f"{URL}/import", data="email,nombre\nana@a.example,Ana\n", headers={**keeper, **CSV})
    contact_id = imported("ana@a.example")
    with transaction() as session:
        campaigns.launch(session, sequence.create(session), now=clock.now())
        sequence.send_due(session, now=clock.now())
    shown = client.get(f"{URL}/{contact_id}", headers=keeper).json
    assert (shown["email"], shown["first_name"], shown["suppressed"]) == ("ana@a.example", "Ana", None)
    assert (shown["followup_status"], shown["flags"]["email_1_sent"], len(shown["flags"])) == ("email_1_sent", True, 9)
    (journey,) = shown["campaigns"]
    assert journey["sentence"].startswith("1 e-mail was sent; step 2 is due on ")
    assert journey["steps"][0]["email_id"].startswith("email_")
    assert client.get(f"{URL}/{uuid4()}", headers=keeper).status_code == 404


def test_every_route_asks_for_its_scope(client: FlaskClient, sender: dict[str, str]) -> None:
    assert client.post(f"{URL}/import", data=b"email\n", headers={**sender, **CSV}).status_code == 403
    assert client.get(f"{URL}/{uuid4()}", headers=sender).status_code == 403
    assert client.post(f"{URL}/import", data=b"x").status_code == 401


def test_an_import_that_would_occupy_a_thread_for_long_is_refused_as_a_whole(
    client: FlaskClient, keeper: dict[str, str]
) -> None:
    rows = "".join(f"a{number}@b.example,\n" for number in range(4_001))
    with pytest.raises(InvalidInput, match="split it"), transaction() as session:
        pages = imports.pages(BytesIO(f"email,zona\n{rows}".encode()))
        routes.take_pages(session, pages, now=clock.now(), end=monotonic())
    with transaction() as session:
        assert contacts.find(session, "a1@b.example") is None
    wrong = client.post(f"{URL}/import", data="email\n" + "x\n" * 500_000, headers=keeper | CSV)
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (422, "file")
    assert "more than 20000 invalid rows" in wrong.text


def test_a_file_that_is_slow_to_read_is_refused_with_the_other_way_to_import_it(ledger: str) -> None:
    """1 MB of international domains would occupy a thread for 10 s."""
    rows = "".join(f"a@ñandú{number}.example\n" for number in range(600))

    def pages() -> Iterator[Page]:
        return imports.pages(BytesIO(f"email\n{rows}".encode()), page_rows=100)

    assert sum(page.rows for page in routes.read_within(pages(), 60.0)) == 600
    with pytest.raises(InvalidInput, match="to be read; split it, or import it with `cadencia contacts import`"):
        list(routes.read_within(pages(), 0.01))
    assert routes.READ_S < 9


def test_a_contact_whose_address_cannot_be_decrypted_is_shown_without_it(
    client: FlaskClient, keeper: dict[str, str]
) -> None:
    with transaction() as session:
        bad, good = contacts.ensure(session, ["eva@a.example", "ana@a.example"], now=clock.now())
        session.execute(text("UPDATE contacts SET email = 'rubbish' WHERE id = :id"), {"id": bad})
    answers = [client.get(f"{URL}/{contact_id}", headers=keeper) for contact_id in (bad, good)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json["email"] for answer in answers] == [None, "ana@a.example"]


def test_an_address_is_suppressed_released_and_erased(client: FlaskClient, keeper: dict[str, str]) -> None:
    def post(path: str, **body: object) -> tuple[int, Any]:
        answer = client.post(f"{URL}{path}", json=body, headers=keeper)
        return answer.status_code, answer.json

    status, added = post("", email="ana@a.example", first_name="Ana", attributes={"plan": "b"})
    assert (status, added["first_name"], added["listed_at"] is not None) == (200, "Ana", True)
    contact_id = added["id"]
    assert post("/suppress", email="ANA@a.example") == (200, {"contact_id": contact_id, "suppressed": "manual"})
    assert post("/release", contact_id=contact_id) == (200, {"contact_id": contact_id, "suppressed": None})
    assert post("/release", contact_id=contact_id)[0] == 404
    assert post("/suppress", email="eva@a.example") == (200, {"contact_id": None, "suppressed": "manual"})
    assert [post("/erase", contact_id=contact_id) for _ in range(2)] == [(200, {"contact_id": contact_id})] * 2
    shown = client.get(f"{URL}/{contact_id}", headers=keeper).json
    assert (shown["email"], shown["first_name"], shown["attributes"], shown["suppressed"]) == (None, None, {}, "erased")
    assert [post("/erase", email="ana@a.example")[0], post("/suppress")[0]] == [404, 422]
    assert post("/release", contact_id=contact_id, even="complaint")[0] == 409
