"""A file of contacts is uploaded, checked and imported by the pages, as people use them."""

import csv
import re
from io import BytesIO, StringIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from models.session import transaction
from tests.web.pages import visitors
from worker.tasks import imports as tasks

TABLE = """Correo;Nombre;Empresa;Origen;Baja
ana@empresa.example;Ana;Muñoz e Hijos;feria;
luis@empresa.example;Luis;<script>alert(1)</script>;;sí
ana@empresa.example;Otra;;;
sin arroba;Eva;;;
"""
UPLOAD = "/app/contacts/import"


def upload(client: FlaskClient, data: bytes, name: str = "contactos.csv", **fields: str) -> Any:
    """Send the form of the page with a file."""
    page = client.get(UPLOAD)
    form = {"csrf_token": visitors.token(page), "file": (BytesIO(data), name), **fields}
    return client.post(UPLOAD, data=form, content_type="multipart/form-data")


def counted(sql: str) -> Any:
    with transaction() as session:
        return session.scalar(text(sql))


@pytest.fixture
def marketer(client: FlaskClient) -> FlaskClient:
    """A client who may read and change contacts."""
    visitors.visit(client, "ana", "contacts", path=UPLOAD)
    return client


def test_a_file_is_checked_mapped_and_imported(marketer: FlaskClient) -> None:
    answer = upload(marketer, TABLE.encode("cp1252"))
    path = answer.location
    page = marketer.get(path)
    assert (answer.status_code, page.status_code) == (303, 200)
    assert "Windows-1252" in page.text and "puntos y coma" in page.text and "Muñoz e Hijos" in page.text
    assert "&lt;script&gt;alert(1)" in page.text and "<script>alert" not in page.text
    assert re.search(r'name="column_1".*?<option value="first_name" selected', page.text, re.DOTALL)
    assert counted("SELECT count(*) FROM contacts") == 0
    form = {"csrf_token": visitors.token(page), "column_2": "none", "column_3": "industry"}
    again = marketer.post(path, data=form)
    assert again.location == path and "Muñoz" not in marketer.get(path).text
    marketer.post(path, data=form | {"start": "1"})
    waiting = marketer.get(path)
    assert f'data-follow="{path}/progress"' in waiting.text and "<progress" in waiting.text
    tasks.store()
    done = marketer.get(path)
    assert "terminada" in done.text and "<progress" not in done.text
    with transaction() as session:
        rows = session.execute(text("SELECT first_name, company, industry FROM contacts ORDER BY first_name")).all()
    assert [tuple(row) for row in rows] == [("Ana", None, "feria"), ("Luis", None, None)]
    assert counted("SELECT reason FROM suppressions") == "unsubscribed"
    assert counted("SELECT count(*) FROM file_import_chunks") == 0
    report = marketer.get(f"{path}/report.csv")
    assert report.headers["Content-Disposition"].startswith("attachment")
    lines = list(csv.reader(StringIO(report.text.removeprefix("\ufeff"))))
    assert {(line[0], line[1], line[2]) for line in lines[1:]} == {
        ("5", "rechazada", "email"),
        ("2", "importada, con una nota", "file"),
        ("4", "importada, con una nota", "email"),
    }
    assert "es la dirección de la línea 2, que" in done.text and "file.message" not in done.text
    assert "contactos.csv" in marketer.get(UPLOAD).text


def test_nothing_of_a_file_is_readable_in_the_database(marketer: FlaskClient) -> None:
    upload(marketer, TABLE.encode())
    content = counted("SELECT string_agg(c.content, '') || i.preview || i.file_name FROM file_import_chunks c "
                      "JOIN file_imports i ON i.id = c.import_id GROUP BY i.id")  # fmt: skip
    assert "empresa" not in content and "Ana" not in content and "contactos" not in content


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04 xl/workbook [Content_Types].xml", ".xlsx"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00\x01" * 500, ""),
        (b"\x00" * 3_000, ""),
        (b"x" * 5_000_000, ""),
        (b",".join(b"c%d" % number for number in range(10_000)) + b"\na@empresa.example\n", "2000"),
        (b"nombre,empresa\nAna,Acme\n", ""),
    ],
    ids=["xlsx", "image", "NULs", "long line", "columns", "no address"],
)
def test_a_file_that_is_no_table_of_contacts_says_why(marketer: FlaskClient, data: bytes, words: str) -> None:
    path = upload(marketer, data).location
    page = marketer.get(path)
    assert "Este archivo no se puede importar" in page.text and words in page.text
    assert 'name="start"' not in page.text and len(page.data) < 40_000
    form = {"csrf_token": visitors.token(page), "start": "1"}
    assert marketer.post(path, data=form).status_code == 422
    assert marketer.post(f"{path}/discard", data=form).location == UPLOAD
    assert counted("SELECT count(*) FROM file_imports") + counted("SELECT count(*) FROM file_import_chunks") == 0


@pytest.mark.parametrize(("name", "shown"), [
    ("<script>alert(1)</script>.csv", "script&gt;.csv"),
    ("C:/Users/ana/leads.csv", ">leads.csv<"),
    ("../../etc/passwd", ">passwd<"),
    ("n" * 300 + ".csv", "n" * 99 + "…"),
    ("lista\x01\x02de.csv", "listade.csv"),
])  # fmt: skip
def test_any_file_name_is_shown_safely(marketer: FlaskClient, name: str, shown: str) -> None:
    page = marketer.get(upload(marketer, TABLE.encode(), name).location)
    assert shown in page.text and "<script>alert" not in page.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_encodings_and_separators_are_recognised(marketer: FlaskClient, encoding: str, separator: str) -> None:
    page = marketer.get(upload(marketer, TABLE.replace(";", separator).encode(encoding)).location)
    assert "Muñoz e Hijos" in page.text


def test_a_file_over_the_limit_and_an_empty_one_are_refused_at_the_field(marketer: FlaskClient) -> None:
    refused = upload(marketer, b"")
    assert refused.status_code == 422 and "El archivo está vacío" in refused.text
    page = marketer.get(UPLOAD)
    missing = marketer.post(UPLOAD, data={"csrf_token": visitors.token(page)}, content_type="multipart/form-data")
    assert missing.status_code == 422 and "Elija un archivo" in missing.text
    sent_by_nginx = marketer.get(f"{UPLOAD}?fault=size")
    assert sent_by_nginx.status_code == 413 and "hasta 100 MB" in sent_by_nginx.text


def test_only_a_form_of_ours_and_only_the_scope_may_upload(client: FlaskClient) -> None:
    visitors.visit(client, "eva", "reports", path="/app/account")
    token = visitors.token(client.get("/app/account"))
    form = {"csrf_token": token, "file": (BytesIO(TABLE.encode()), "x.csv")}
    assert client.post(UPLOAD, data=form, content_type="multipart/form-data").status_code == 403
    visitors.visit(client, "ana", "contacts", path=UPLOAD)
    forged = {"csrf_token": token, "file": (BytesIO(TABLE.encode()), "x.csv")}
    assert client.post(UPLOAD, data=forged, content_type="multipart/form-data").status_code == 403
    assert counted("SELECT count(*) FROM file_imports") == 0
