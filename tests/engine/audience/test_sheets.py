"""CSV files as Excel, LibreOffice and CRMs write them."""

from io import BytesIO

import pytest

from engine.audience import sheets
from errors import InvalidInput


def _cells(data: bytes) -> list[dict[str, str]]:
    return [line.cells for line in sheets.read(BytesIO(data)).lines()]


@pytest.mark.parametrize(
    "data",
    [
        "email,nombre\nana@a.example,Añó\n".encode(),
        b"\xef\xbb\xbf" + "email,nombre\nana@a.example,Añó\n".encode(),
        "correo;Nombre\r\nana@a.example;Añó\r\n".encode(),
        "E-mail\tFirst name\nana@a.example\tAñó".encode(),
        "sep=;\nCORREO ELECTRÓNICO;NOMBRE\nana@a.example;Añó\n".encode(),
        '"email";"nombre"\n"ana@a.example";"Añó"\n'.encode(),
        "email,nombre\rana@a.example,Añó\r".encode(),
        "email, nombre\nana@a.example,  Añó \n".encode(),
        "email,nombre\nana@a.example,Añó\n".encode("cp1252"),
        "email,nombre\nana@a.example,An\u0303o\u0301\n".encode(),
        "email,nombre\n\n,\nana@a.example,\xa0Añó\n\n".encode(),
    ],
)
def test_read_accepts_the_usual_dialects(data: bytes) -> None:
    assert _cells(data) == [{"email": "ana@a.example", "first_name": "Añó"}]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("correo,apellidos,sector,cargo,empresa", ["email", "last_name", "industry", "role", "company"]),
        ("Email;Last Name;Industry;Job title;Company", ["email", "last_name", "industry", "role", "company"]),
        ("mail,Zona horaria,Idioma", ["email", "timezone", "locale"]),
        ("email,Link Calendly,Tamaño (empleados),", ["email", "link_calendly", "tamano_empleados", None]),
    ],
)
def test_read_knows_columns_by_their_english_and_spanish_names(header: str, columns: list[str | None]) -> None:
    assert sheets.read(BytesIO(header.encode())).columns == columns


@pytest.mark.parametrize(
    ("data", "field", "says"),
    [
        (b"", "header", "no column for the address"),
        (b"nombre,empresa\nAna,Acme\n", "header", "no column for the address"),
        (b"email,correo\na@a.example,b@a.example\n", "header", "has two columns for email"),
        (b"email," + b",".join(b"c%d" % number for number in range(100)), "header", "at most 100"),
        ("email\n".encode("utf-16"), "file", "UTF-16"),
        (b"email" * 40_000, "header", "no column for the address"),
    ],
)
def test_read_refuses_an_unusable_header(data: bytes, field: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        sheets.read(BytesIO(data))
    assert refused.value.faults[0].field == field
    assert says in refused.value.faults[0].message


def test_lines_are_numbered_as_in_the_file_when_cells_hold_line_ends() -> None:
    data = b'email,nota\na@a.example,"uno\ndos"\n\nb@a.example,x\n'
    assert [line.number for line in sheets.read(BytesIO(data)).lines()] == [2, 5]


def test_lines_report_a_broken_record_and_go_on() -> None:
    data = b'email,nombre\na@a.example,"Ana" Maria\nb@a.example,Eva,sobra,sobra\nc@a.example,"Luz\n'
    first, second, third = sheets.read(BytesIO(data)).lines()
    assert (first.number, first.broken) == (2, "cannot be read; is a quotation mark not closed?")
    assert (second.number, second.extra, second.cells) == (3, 2, {"email": "b@a.example", "first_name": "Eva"})
    assert (third.number, third.broken) == (4, "cannot be read; is a quotation mark not closed?")


def test_lines_note_once_where_the_file_was_not_utf_8() -> None:
    sheet = sheets.read(BytesIO("email,nombre\na@a.example,Añó\nb@a.example,Íñigo\n".encode("cp1252")))
    assert [line.cells["first_name"] for line in sheet.lines()] == ["Añó", "Íñigo"]
    assert [number for number, _ in sheet.notes] == [2]


def test_lines_are_whole_when_blocks_end_within_them() -> None:
    cell = "ñ" * 1_500
    for ending in ("\n", "\r\n", "\r"):
        data = ending.join(["email,nota", *(f"c{number}@a.example,{cell}" for number in range(100))]).encode()
        lines = list(sheets.read(BytesIO(data)).lines())
        assert [line.cells["email"] for line in lines] == [f"c{number}@a.example" for number in range(100)]
        assert {line.cells["nota"] for line in lines} == {cell}


def test_lines_go_on_after_a_line_over_the_limit() -> None:
    data = b"email,nota\na@a.example," + b"x" * 200_000 + b"\nb@a.example,x\n"
    assert list(sheets.read(BytesIO(data)).lines())[-1].cells == {"email": "b@a.example", "nota": "x"}
