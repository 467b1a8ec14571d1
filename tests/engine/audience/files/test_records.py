"""Records with quotation marks: cells with line breaks are joined, an open or stray mark costs one record."""

from collections.abc import Iterable, Sequence

import pytest

from engine.audience.files import records
from engine.audience.files.rows import Row
from tests import contact_rows

OPEN = ("row", "has a quotation mark that is not closed")


def numbers(rows: Iterable[Row]) -> list[int]:
    return [row.line for row in rows]


def test_a_cell_with_line_breaks_is_one_cell_and_lines_are_counted_as_in_the_file() -> None:
    data = 'email,nota\na@a.example,"uno\r\n dos\n\ntres"\n\nb@a.example,x\n'
    first, second = contact_rows.rows(data)
    assert (first.line, first.attributes, second.line) == (2, {"nota": "uno dos tres"}, 7)


def test_a_note_that_quotes_an_address_stays_one_cell() -> None:
    data = 'email,nombre,notas\na@a.example,Ana,"Escribir a\nluis@a.example, su jefe\n"\nb@a.example,Bea,\n'
    assert numbers(contact_rows.rows(data)) == [2, 5]


@pytest.mark.parametrize(
    ("data", "good", "lost"),
    [
        ('email,nombre,empresa\na@a.example,Ana,"Uno\nb@a.example,Bea,Dos\nc@a.example,Luz,Tres\n', [3, 4], [2]),
        ('email,nombre,empresa\na@a.example,Ana,"Uno\nb@a.example,Bea,Dos\nc@a.example,Luz,"Tres"\n', [3, 4], [2]),
        ('email,nombre,empresa\na@a.example,Ana,"Uno\nb@a.example,Bea,"Dos\nc@a.example,Luz,Tres\n', [4], [2, 3]),
        ('email,nombre,empresa\na@a.example,Ana,"Uno\nb@a.example,Bea,"Dos\nmás"\nc@a.example,Luz,T\n', [3, 5], [2]),
        ('email,nombre,empresa\na@a.example,Ana,"Uno\nb@a.example,"Bea, B",Dos\n', [3], [2]),
        ('email,nombre,empresa\na@a.example,Ana,Uno\nb@a.example,Bea,"Dos\n', [2], [3]),
        ('nombre,empresa,email\nAna,"Uno,a@a.example\nBea,Dos,b@a.example\n', [3], [2]),
        ('nombre,notas,email\nAna,"uno\ndos",a@a.example\nBea,x,b@a.example\n', [2, 4], []),
        ('email,empresa\na@a.example,Bar "El Sol" SL\nb@a.example,"Bar ""El Sol"" SL"\n', [2, 3], []),
        ('email,empresa\na@a.example,"Bar "El Sol" SL"\nb@a.example,5" tubo\n', [3], [2]),
        ('email\n"a@a.example\nb@a.example\n', [3], [2]),
        ('email,nombre\na@a.example,"Ana,,,\nb@a.example,Bea,,,\nc@a.example,Luz,,,\n', [3, 4], [2]),
    ],
)
def test_an_open_or_stray_mark_costs_its_own_record_only(data: str, good: list[int], lost: list[int]) -> None:
    rows = contact_rows.rows(data)
    assert numbers(row for row in rows if not row.fault) == good
    assert numbers(row for row in rows if row.fault) == lost


def test_a_lost_record_says_how_many_lines_it_had() -> None:
    data = 'email,nombre,notas\na@a.example,Ana,"uno\ndos\ntres\nb@a.example,Bea,x\n'
    lost, good = contact_rows.rows(data)
    assert lost.fault == ("row", f"{OPEN[1]}; the 2 lines after it are lost, too")
    assert (lost.lines, good.line) == (3, 5)


def test_six_thousand_rows_after_an_open_mark_are_read() -> None:
    lines = [f"b{number}@a.example,Pep,Dos\n" for number in range(6_000)]
    lines[10] = lines[10].replace("Dos", '"Uno')
    rows = contact_rows.rows("email,nombre,empresa\n" + "".join(lines))
    assert [row.fault for row in rows if row.fault] == [OPEN]
    assert len(rows) == 6_000


@pytest.mark.parametrize(
    "line",
    ['"\n', 'a@a.example,"x\nx\n', '"' * 60_000 + "\n"],
)
@pytest.mark.timeout(20)
def test_a_file_of_open_marks_is_read_in_linear_time(line: str) -> None:
    rows = contact_rows.rows("email,nombre\n" + line * (200_000 // len(line)) + "b@a.example,Bea\n")
    assert rows[-1].address == "b@a.example"


def test_a_record_over_the_limit_is_lost_and_the_next_is_read() -> None:
    note = "palabra " * 1_000 + "\n"
    data = f'email,nota\na@a.example,"{note * 10}"\nb@a.example,x\n'
    rows = contact_rows.rows(data)
    assert rows[-1].address == "b@a.example"
    assert rows[0].fault is not None


def test_each_line_belongs_to_one_record() -> None:
    def is_record(cells: Sequence[str], _is_open: bool) -> bool:
        return cells[0].startswith("r")

    lines = ["h,x\n", 'r,"a\n', "b\n", "r,c\n", "\n", 'r,"d"\n']
    read = list(records.read(enumerate(lines, start=1), ",", is_record=is_record))
    assert [(record.first, record.last, record.fault is None) for record in read] == [
        (1, 1, True),
        (2, 3, False),
        (4, 4, True),
        (6, 6, True),
    ]
