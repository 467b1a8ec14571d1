"""Imports store valid rows and report the faults of others, without repeating their values."""

from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts, imports, suppressions
from engine.audience.import_report import RowFault
from errors import InvalidInput
from tests import contact_rows

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
    contact_id = contacts.find(session, address)
    assert isinstance(contact_id, UUID)
    return contacts.view(session, contact_id)


def test_take_in_imports_valid_rows_and_reports_the_others(session: Session) -> None:
    report = contact_rows.take_in(session, BytesIO(BAD.encode()), now=NOW)
    assert (report.rows, report.created, report.updated, report.unchanged) == (8, 5, 0, 0)
    assert (report.duplicates, report.refused, report.suppressed) == (1, 2, 0)
    assert [(fault.line, fault.field) for fault in report.faults] == [(3, "email"), (8, "email")]
    assert {(note.line, note.field) for note in report.notes} == {
        (4, "first_name"),
        (4, "timezone"),
        (5, "first_name"),
        (6, "email"),
        (7, "row"),
    }
    assert RowFault(6, "email", "is the address of line 2, which counts") in report.notes
    assert "no-es-correo" not in str(report)
    assert "@a" not in str(report)
    ana = _contact(session, "ana@a.example")
    assert (ana.first_name, ana.last_name, ana.industry) == ("Ana", "Pérez", "Marketing")
    assert (ana.timezone, ana.locale) == ("Europe/Madrid", "es")
    assert ana.attributes == {"link_calendly": "https://calendly.example/ana"}


def test_take_in_changes_nothing_when_repeated(session: Session) -> None:
    contact_rows.take_in(session, BytesIO(BAD.encode()), now=NOW)
    again = contact_rows.take_in(session, BytesIO(BAD.encode()), now=NOW)
    assert (again.created, again.updated, again.unchanged, again.refused) == (0, 0, 5, 2)


def test_take_in_updates_only_the_details_in_the_file(session: Session) -> None:
    contact_rows.take_in(session, BytesIO(BAD.encode()), now=NOW)
    report = contact_rows.take_in(session, BytesIO(b"email,nombre,cargo\nana@a.example,,CEO\n"), now=NOW)
    assert (report.created, report.updated) == (0, 1)
    ana = _contact(session, "ana@a.example")
    assert (ana.first_name, ana.role, ana.industry) == ("Ana", "CEO", "Marketing")


def test_take_in_counts_an_address_that_is_suppressed(session: Session) -> None:
    suppressions.add(session, contacts.ensure(session, ["ana@a.example"], now=NOW), "unsubscribed", now=NOW)
    session.execute(text("DELETE FROM contacts"))
    report = contact_rows.take_in(session, BytesIO(BAD.encode()), now=NOW)
    assert (report.created, report.suppressed) == (5, 1)
    again = contacts.find(session, "ana@a.example")
    assert again is not None
    assert suppressions.suppressed(session, [again]) == {again: "unsubscribed"}


def test_take_in_finds_duplicates_when_they_are_pages_apart(session: Session) -> None:
    rows = [f"contact{number}@a.example" for number in range(imports.PAGE_ROWS + 10)]
    data = "\n".join(["email", *rows, rows[0], "Contact1@A.example"]).encode()
    report = contact_rows.take_in(session, BytesIO(data), now=NOW)
    assert (report.rows, report.created, report.duplicates) == (len(rows) + 2, len(rows), 2)
    assert [note.line for note in report.notes] == [len(rows) + 2, len(rows) + 3]


def test_take_in_refuses_the_file_when_it_has_too_many_rows(session: Session) -> None:
    data = "\n".join(["email", *(f"contact{number}@a.example" for number in range(5))]).encode()
    with pytest.raises(InvalidInput, match="more than 4 rows"):
        contact_rows.take_in(session, BytesIO(data), now=NOW, max_rows=4)


def test_take_in_stores_formulas_as_text(session: Session) -> None:
    contact_rows.take_in(session, BytesIO(b'email,company\nana@a.example,"=HYPERLINK(1,2)"\n'), now=NOW)
    assert _contact(session, "ana@a.example").company == "=HYPERLINK(1,2)"


CONSENT = b"""Email,First Name,Unsubscribed from all email,Converted,Converted Date
ana@a.example,Ana,,,
eva@a.example,Eva,true,,
ANA@a.example,Ana,yes,,
luz@a.example,"Luz "M" R",true,,
sol@a.example,Sol,no,1,2026-03-01
mar@a.example,Mar,,yes,2031-01-01
no es,Paz,sin duda,,
"""


def test_opt_outs_and_conversions_of_a_file_hold_for_contacts(session: Session) -> None:
    report = contact_rows.take_in(session, BytesIO(CONSENT), now=NOW)
    assert (report.created, report.duplicates, report.refused) == (4, 1, 2)
    assert (report.opted_out, report.converted, report.suppressed, report.lost_lines) == (3, 2, 2, 1)
    assert suppressions.among(session, ["ana@a.example", "eva@a.example", "luz@a.example"]) == 3
    states = {name: _contact(session, f"{name}@a.example").followup_status for name in ("ana", "eva", "sol", "mar")}
    assert states == {"ana": "unsubscribed", "eva": "unsubscribed", "sol": "converted", "mar": "converted"}
    assert _contact(session, "sol@a.example").converted_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert _contact(session, "mar@a.example").converted_at == NOW
    again = contact_rows.take_in(session, BytesIO(CONSENT), now=NOW)
    assert (again.unchanged, again.opted_out, again.suppressed) == (4, 3, 2)


def test_an_opt_out_pages_after_the_contact_counts(session: Session) -> None:
    rows = [f"contact{number}@a.example,no" for number in range(imports.PAGE_ROWS + 10)]
    contact_rows.take_in(session, BytesIO("\n".join(["email,baja", *rows, "contact7@a.example,sí"]).encode()), now=NOW)
    assert _contact(session, "contact7@a.example").followup_status == "unsubscribed"


def test_a_file_with_a_header_alone_reports_its_columns(session: Session) -> None:
    report = contact_rows.take_in(session, BytesIO(b"email,nombre\n"), now=NOW)
    assert (report.rows, [column.name for column in report.file.columns]) == (0, ["email", "nombre"])
