"""Importing contacts from the command line."""

from pathlib import Path

from engine.audience import contacts
from models.session import transaction
from tests.cli.conftest import Run

GOOGLE = """Name,Given Name,E-mail 1 - Value,E-mail 2 - Value,Notes,Baja
Ana Ruiz,Ana,ana@a.example,ana@b.example,x,
Luis Gil,Luis,luis@a.example ::: luis@b.example,,,sí
Sin,Sin,,,,
"""


def test_import_says_how_each_column_is_understood_before_and_after(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "google.csv"
    file.write_text(GOOGLE)
    dry = run("contacts", "import", str(file), "--dry-run", status=1)
    lines = dry.stdout.splitlines()
    assert lines[0] == "google.csv: UTF-8, cells separated by commas, header on line 1"
    assert [" ".join(line.split()) for line in lines[1:-1]] == [
        "column filled understood as",
        "Name 2 attribute name",
        "Given Name 2 first_name",
        "E-mail 1 - Value 2 email; 1 mended",
        "E-mail 2 - Value 1 email; used where “E-mail 1 - Value” is empty, otherwise attribute e_mail_2_value",
        "Notes 1 attribute notes",
        "Baja 1 opt-out: yes suppresses the address",
    ]
    assert lines[-1].startswith("dry run, nothing was stored: 3 rows, 2 created, 0 updated")
    assert "line 4, email: is empty" in dry.stderr
    assert "line 3, email: has several addresses; the first counts" in dry.stderr
    with transaction() as session:
        assert contacts.find(session, "ana@a.example") is None
    real = run("contacts", "import", str(file), status=1)
    assert real.stdout.splitlines()[1:-1] == lines[1:-1]
    assert "2 created, 0 updated, 0 unchanged, 0 duplicates, 1 refused, 1 suppressed, 1 opted out" in real.stdout


def test_import_takes_a_mapping_and_names_what_fits_no_column(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "google.csv"
    file.write_text(GOOGLE)
    run("contacts", "import", str(file), "--map", "E-mail 2 - Value=email", "--map", "Notes=", status=1)
    with transaction() as session:
        contact_id = contacts.find(session, "ana@b.example")
        assert contact_id is not None
        assert contacts.view(session, contact_id).attributes == {"name": "Ana Ruiz", "e_mail_1_value": "ana@a.example"}
    refused = run("contacts", "import", str(file), "--map", "E-mail 4=email", status=1)
    assert "map: the file has no column 'E-mail 4'" in refused.stderr


def test_an_excel_workbook_is_refused_with_the_way_to_convert_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_bytes(b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml")
    assert "soffice --headless --convert-to csv FILE" in run("contacts", "import", str(file), status=1).stderr
