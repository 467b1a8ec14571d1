"""Encodings of Excel, LibreOffice, old Macs and Cyrillic Windows; other formats are named."""

from io import BytesIO

import pytest

from engine.audience.files.decoding import Text
from errors import InvalidInput
from tests import contact_rows

FILE = "email\tnombre\nana@a.example\tAñó\n"


@pytest.mark.parametrize(
    "data",
    [
        FILE.encode(),
        b"\xef\xbb\xbf" + FILE.encode(),
        FILE.replace("\n", "\r\n").encode("utf-16"),
        FILE.encode("utf-16-le"),
        FILE.encode("utf-16-be"),
        b"\xfe\xff" + FILE.encode("utf-16-be"),
        FILE.encode("cp1252"),
        FILE.replace("\t", ";").encode(),
        FILE.replace("\t", "|").encode(),
        FILE.replace("\n", "\r").encode(),
        f"sep=;\n{FILE}".replace("\t", ";").encode(),
        FILE.replace("Añó", "An\u0303o\u0301").encode(),
        FILE.replace("Añó", "\xa0 Añó\u3000").encode(),
    ],
)
def test_a_file_reads_the_same_in_the_usual_encodings_and_separators(data: bytes) -> None:
    row = contact_rows.row(data)
    assert (row.address, row.details) == ("ana@a.example", {"first_name": "Añó"})


@pytest.mark.parametrize(
    ("text", "codec", "encoding"),
    [
        ("Begoña", "mac_roman", "Mac Roman"),
        ("José García", "mac_roman", "Mac Roman"),
        ("MUÑOZ", "mac_roman", "Mac Roman"),
        ("Begoña Ibáñez", "cp850", "DOS 850"),
        ("Málaga", "cp850", "DOS 850"),
        ("Begoña Ibáñez", "cp1252", "Windows-1252"),
        ("Málaga", "cp1252", "Windows-1252"),
        ("José\xa0María", "cp1252", "Windows-1252"),
        ("Peña – Núñez", "cp1252", "Windows-1252"),
        ("O’Brien", "cp1252", "Windows-1252"),
        ("Ana’s", "cp1252", "Windows-1252"),
        ("Précision €", "cp1252", "Windows-1252"),
        ("Иван Петров", "cp1251", "Windows-1251 (Cyrillic)"),
    ],
)
def test_lines_outside_utf_8_are_read_in_the_encoding_that_fits(text: str, codec: str, encoding: str) -> None:
    source = Text(BytesIO(f"email;nombre\nana@a.example;{text}\n".encode(codec)))
    assert list(source.lines())[1] == f"ana@a.example;{text}\n"
    assert source.encoding == encoding
    assert source.notes == [(2, f"is not UTF-8; this and other such lines were read as {encoding}")]


def test_a_stated_encoding_is_used() -> None:
    data = "email,nombre\nana@a.example,山田\n".encode("shift_jis")
    assert contact_rows.row(data, encoding="shift_jis").details == {"first_name": "山田"}


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "", "hex", "utf-8\x00"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(InvalidInput, match="give one such as utf-8, cp1252"):
        list(Text(BytesIO(b"email\n"), encoding or "?").lines())


@pytest.mark.parametrize(
    ("beginning", "says"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", r"Excel workbook \(.xlsx\) and not CSV.*soffice"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet", r"OpenDocument.*soffice"),
        (b"PK\x03\x04Index/Document.iwa", "Numbers"),
        (b"PK\x03\x04leads.csv", "unpack"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"Excel workbook \(.xls\)"),
        (b"%PDF-1.7", "PDF"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "choose CSV"),
        (b"\xef\xbb\xbf\n<html><table>", "HTML"),
        (b"\x1f\x8b\x08", "unpack"),
    ],
)
def test_a_file_of_another_format_is_refused_with_the_way_to_convert_it(beginning: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=f"^file: .*{says}"):
        contact_rows.rows(beginning + b"\x00" * 100)


def test_lines_are_whole_when_blocks_end_within_them() -> None:
    cell = "ñ" * 900
    for codec in ("utf-8", "utf-16"):
        for ending in ("\n", "\r\n", "\r"):
            text = ending.join(["email,nota", *(f"c{number}@a.example,{cell}" for number in range(100))])
            rows = contact_rows.rows(text.encode(codec))
            assert [row.address for row in rows] == [f"c{number}@a.example" for number in range(100)]
            assert {row.attributes["nota"] for row in rows} == {cell}


def test_reading_goes_on_after_a_line_over_the_limit() -> None:
    data = b"email,nota\na@a.example," + b"x" * 200_000 + b"\nb@a.example,x\n"
    assert contact_rows.rows(data)[-1].address == "b@a.example"
