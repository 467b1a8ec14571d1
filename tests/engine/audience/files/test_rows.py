"""Only a bad address refuses a contact; other cells are mended or left out; an opt-out is never lost."""

from datetime import UTC, datetime

import pytest

from tests import contact_rows


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("  a@a.example ", "a@a.example"),
        ("mailto:a@a.example", "a@a.example"),
        ("Ana Ruiz <a@a.example>", "a@a.example"),
        ("a@a.example.", "a@a.example"),
        ('"a@a.example,"', "a@a.example"),
        ("a@a.example; b@a.example", "a@a.example"),
        ("a@a.example ::: b@a.example", "a@a.example"),
        ("\u200ba@a.example", "a@a.example"),
        ("a@em\xadpresa.example", "a@empresa.example"),
        ("a@EMPRESA。example", "a@empresa.example"),
        ("ａｎａ@empresa.example", "ana@empresa.example"),
        ("x@müller.example", "x@xn--mller-kva.example"),
        ("ana ruiz@a.example", None),
        ("a@empresa", None),
        ("a..b@a.example", None),
        ("", None),
        ("ana arroba a.example", None),
    ],
)
def test_an_address_is_mended_only_where_it_is_certain(cell: str, address: str | None) -> None:
    row = contact_rows.row(f"email,nombre\n{cell},Ana\n")
    assert row.address == address
    assert (row.fault is None) == (address is not None)


def test_several_addresses_in_a_cell_are_reported() -> None:
    assert contact_rows.row("email\na@a.example;b@a.example\n").notes == [
        ("email", "has several addresses; the first counts")
    ]


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("Ana 👩\u200d💻", "Ana 👩\u200d💻"),
        ("山田\u3000太郎", "山田 太郎"),
        ("נועה\u200e", "נועה"),
        ("So\x07l", "Sol"),
        ("Be\ufffdgo", "Bego"),
        ("An\u202ea\u200b", "Ana"),
        ("=HYPERLINK(1;2)", "=HYPERLINK(1;2)"),
    ],
)
def test_a_name_in_any_script_is_kept(cell: str, kept: str) -> None:
    assert contact_rows.row(f"email,nombre\na@a.example,{cell}\n").details == {"first_name": kept}


@pytest.mark.parametrize(
    ("column", "cell", "kept", "says"),
    [
        ("Title", "Vicepresidenta Sénior de Operaciones Comerciales Globales",
         "Vicepresidenta Sénior de Operaciones Comerciales…", "more than 50"),
        ("role", "x" * 51, None, "without a space, left out"),
        ("zona horaria", "us_slash_eastern", "US/Eastern", None),
        ("zona horaria", "europe/madrid", "Europe/Madrid", None),
        ("zona horaria", "Marte/Olympus", None, "no known time zone"),
        ("zona horaria", "localtime", None, "no known time zone"),
        ("idioma", "Spanish", "es", None),
        ("idioma", "Inglés (Reino Unido)", "en", None),
        ("idioma", "es-MX", "es-MX", None),
        ("idioma", "klingon", None, "no known language"),
        ("notas", "palabra " * 200, "palabra " * 123 + "palabra…", "more than 1000"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_fit_is_mended_or_left_out_with_a_note(
    column: str, cell: str, kept: str | None, says: str | None
) -> None:
    row = contact_rows.row(f"email,{column}\na@a.example,{cell}\n")
    assert row.fault is None
    assert list({**row.details, **row.attributes}.values()) == ([kept] if kept else [])
    assert [message for _, message in row.notes if says and says in message] == [message for _, message in row.notes]
    assert bool(row.notes) == bool(says)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "cell", ["a" + " " * 20_000 + "\x07b", "(" * 20_000, "<" * 20_000 + "@", ";" * 20_000 + "@", "<" + "@" * 20_000]
)
def test_a_long_cell_is_read_in_linear_time(cell: str) -> None:
    rows = contact_rows.rows(f"zona horaria,nombre,email\n{cell},{cell},{cell}\n,,a@a.example\n")
    assert [row.address for row in rows] == [None, "a@a.example"]


def test_blank_cells_after_the_header_are_ignored_and_others_noted() -> None:
    blank, filled, shifted = contact_rows.rows(
        "email,empresa,baja\na@a.example,Uno,,,,\nb@a.example,Dos,,,x\nc@a.example,Acme, Inc,sí\n"
    )
    assert (blank.notes, blank.opted_out) == ([], ())
    assert [name for name, _ in filled.notes] == ["row"]
    assert shifted.opted_out == ("c@a.example",)


def test_a_row_shifted_before_its_address_keeps_it() -> None:
    row = contact_rows.row("empresa,email,nombre\nAcme, Inc,a@a.example,Ana\n")
    assert (row.address, row.details) == ("a@a.example", {"company": "Acme", "first_name": "Ana"})


def test_a_cell_that_repeats_the_address_is_no_attribute() -> None:
    row = contact_rows.row("E-mail Address,E-mail Display Name\na@a.example,Ana (A@a.example)\n")
    assert row.attributes == {}


@pytest.mark.parametrize(
    "cell", ["yes", "TRUE", "1", "Sí", "si", "x", "✓", "Baja", "opted out", "2024-01-02", "quizás"]
)
def test_a_filled_opt_out_suppresses(cell: str) -> None:
    assert contact_rows.row(f"email,Baja\na@a.example,{cell}\n").opted_out == ("a@a.example",)


@pytest.mark.parametrize("cell", ["", "no", "FALSE", "0", "-", "N", "falso", "n/a", "Subscribed"])
def test_an_opt_out_that_says_no_does_not(cell: str) -> None:
    row = contact_rows.row(f"email,Unsubscribed from all email\na@a.example,{cell}\n")
    assert (row.opted_out, row.attributes) == ((), {})


@pytest.mark.parametrize(
    ("column", "cell", "out"),
    [
        ("Accepts Email Marketing", "no", True),
        ("Accepts Email Marketing", "yes", False),
        ("Accepts Email Marketing", "quizás", False),
        ("Status", "Unsubscribed", True),
        ("Status", "New", False),
        ("Estado", "Dado de baja", True),
    ],
)
def test_a_refused_consent_or_a_state_suppresses(column: str, cell: str, out: bool) -> None:
    assert bool(contact_rows.row(f"email,{column}\na@a.example,{cell}\n").opted_out) == out


@pytest.mark.parametrize(
    "data",
    [
        'email,nombre,baja\na@a.example,"Ana "Anita" Ruiz",sí\n',
        'email,nombre,baja\na@a.example,"Ana,sí\nb@a.example,Bea,no\n',
        "email,correo 2,baja\nno es,tampoco,sí\n",
        "email,nombre,baja\nno es,a@a.example,sí\nb@a.example,Bea,no\n",
    ],
)
def test_an_opt_out_of_a_refused_row_is_kept_or_reported(data: str) -> None:
    row = contact_rows.rows(data)[0]
    assert row.fault is not None
    assert row.opted_out == (("a@a.example",) if "a@a.example" in data else ())
    assert row.opted_out or "by hand" in row.notes[-1][1]


@pytest.mark.parametrize(
    ("converted", "date", "result"),
    [
        ("1", "", (True, None)),
        ("Sí", "02/01/2024", (True, datetime(2024, 1, 2, tzinfo=UTC))),
        ("", "2024-01-02 10:00", (True, datetime(2024, 1, 2, 10, tzinfo=UTC))),
        ("1/31/2024", "", (True, datetime(2024, 1, 31, tzinfo=UTC))),
        ("02 Jan 2024", "", (True, datetime(2024, 1, 2, tzinfo=UTC))),
        ("yes", "pronto", (True, None)),
        ("no", "2024-01-02", (False, None)),
        ("0", "", (False, None)),
        ("quizás", "", (False, None)),
        ("", "2024-13-45", (False, None)),
    ],
)
def test_a_conversion_has_its_date_if_there_is_one(
    converted: str, date: str, result: tuple[bool, datetime | None]
) -> None:
    row = contact_rows.row(f"email,Converted,Converted Date\na@a.example,{converted},{date}\n")
    assert (row.converted, row.converted_at) == result
