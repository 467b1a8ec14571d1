"""Imports store valid rows and report the faults of others, without repeating their values."""

from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts, imports, suppressions
from engine.audience.imports import RowFault
from errors import InvalidInput

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)

BAD = """correo;nombre;apellidos;sector;zona horaria;idioma;link calendly
ana@a.example;Ana;Pérez;Marketing;Europe/Madrid;es;https://calendly.example/ana
no-es-correo;Eva;;;;;
luz@a.example;{long};;;Marte/Olympus;español;
sol@a.example;So\x07l;;;;;
ana@A.example;Otra;;;;;
paz@a.example;Paz;;;;;;sobra
;Nadie;;;;;
mar@a.example;Mar;;;;;
""".format(long="x" * 101)


def _contact(session: Session, address: str) -> contacts.View:
    found = contacts.find(session, address)
    assert isinstance(found, UUID)
    return contacts.view(session, found)


def test_take_in_imports_valid_rows_and_reports_the_others(session: Session) -> None:
    report = imports.take_in(session, BytesIO(BAD.encode()), now=NOW)
    assert (report.rows, report.created, report.updated, report.unchanged) == (8, 2, 0, 0)
    assert (report.duplicates, report.refused, report.suppressed) == (1, 5, 0)
    assert [(fault.line, fault.field) for fault in report.faults] == [
        (3, "email"),
        (4, "first_name"),
        (4, "timezone"),
        (4, "locale"),
        (5, "first_name"),
        (7, "row"),
        (8, "email"),
    ]
    assert report.notes == (RowFault(6, "email", "is the address of line 2, which counts"),)
    assert "no-es-correo" not in str(report)
    assert "@a" not in str(report)
    ana = _contact(session, "ana@a.example")
    assert (ana.first_name, ana.last_name, ana.industry) == ("Ana", "Pérez", "Marketing")
    assert (ana.timezone, ana.locale) == ("Europe/Madrid", "es")
    assert ana.attributes == {"link_calendly": "https://calendly.example/ana"}


def test_take_in_changes_nothing_when_repeated(session: Session) -> None:
    imports.take_in(session, BytesIO(BAD.encode()), now=NOW)
    again = imports.take_in(session, BytesIO(BAD.encode()), now=NOW)
    assert (again.created, again.updated, again.unchanged, again.refused) == (0, 0, 2, 5)


def test_take_in_updates_only_the_details_in_the_file(session: Session) -> None:
    imports.take_in(session, BytesIO(BAD.encode()), now=NOW)
    report = imports.take_in(session, BytesIO(b"email,nombre,cargo\nana@a.example,,CEO\n"), now=NOW)
    assert (report.created, report.updated) == (0, 1)
    ana = _contact(session, "ana@a.example")
    assert (ana.first_name, ana.role, ana.industry) == ("Ana", "CEO", "Marketing")


def test_take_in_counts_an_address_that_is_suppressed(session: Session) -> None:
    suppressions.add(session, contacts.ensure(session, ["ana@a.example"], now=NOW), "unsubscribed", now=NOW)
    session.execute(text("DELETE FROM contacts"))
    report = imports.take_in(session, BytesIO(BAD.encode()), now=NOW)
    assert (report.created, report.suppressed) == (2, 1)
    again = contacts.find(session, "ana@a.example")
    assert again is not None
    assert suppressions.suppressed(session, [again]) == {again: "unsubscribed"}


def test_take_in_finds_duplicates_when_they_are_pages_apart(session: Session) -> None:
    rows = [f"contact{number}@a.example" for number in range(imports.PAGE_ROWS + 10)]
    data = "\n".join(["email", *rows, rows[0], "Contact1@A.example"]).encode()
    report = imports.take_in(session, BytesIO(data), now=NOW)
    assert (report.rows, report.created, report.duplicates) == (len(rows) + 2, len(rows), 2)
    assert [note.line for note in report.notes] == [len(rows) + 2, len(rows) + 3]


def test_take_in_refuses_the_file_when_it_has_too_many_rows(session: Session) -> None:
    data = "\n".join(["email", *(f"contact{number}@a.example" for number in range(5))]).encode()
    with pytest.raises(InvalidInput, match="more than 4 rows"):
        imports.take_in(session, BytesIO(data), now=NOW, max_rows=4)


def test_take_in_stores_formulas_as_text(session: Session) -> None:
    imports.take_in(session, BytesIO(b'email,company\nana@a.example,"=HYPERLINK(1,2)"\n'), now=NOW)
    assert _contact(session, "ana@a.example").company == "=HYPERLINK(1,2)"
