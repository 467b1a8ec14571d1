"""Columns are recognised by names in English and Spanish, numbered variants, content and the caller's mapping."""

import pytest

from errors import InvalidInput
from tests import contact_rows


@pytest.mark.parametrize(
    ("header", "meanings"),
    [
        ("correo,apellidos,sector,cargo,empresa", "email last_name industry role company"),
        ("Email;Last Name;Industry;Job title;Company", "email last_name industry role company"),
        ("mail,Zona horaria,Idioma", "email timezone locale"),
        ("Correo electrónico,Puesto de trabajo,Nombre de la empresa,Razón social", "email role company company"),
        ('"Correo\nelectrónico";Nombre', "email first_name"),
        ("Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value,Organization 1 - Name,Organization 1 - Title",
         "first_name last_name e_mail_1_type email company role"),
        ("First Name,Organization Name,Organization Title,E-mail 1 - Label,E-mail 1 - Value",
         "first_name company role e_mail_1_label email"),
        ("First Name,Primary Email,Secondary Email,Organization,Job Title",
         "first_name email secondary_email company role"),
        ("Title,First Name,E-mail Address,E-mail Type,E-mail Display Name,Job Title",
         "title first_name email e_mail_type e_mail_display_name role"),
        ("Nombre,Apellidos,Organización,Puesto,Dirección de correo electrónico,Tipo de correo electrónico",
         "first_name last_name company role email tipo_de_correo_electronico"),
        ("Nombre de la organización,Correo,Mostrar nombre de correo electrónico",
         "company email mostrar_nombre_de_correo_electronico"),
        ("FirstName,LastName,Title,Company / Account,Email,HasOptedOutOfEmail,IsConverted,ConvertedDate",
         "first_name last_name role company email opt_out converted converted_at"),
        ("Record ID,Email,Contact owner,Unsubscribed from all email,Time Zone,Preferred language",
         "record_id email contact_owner opt_out timezone locale"),
        ("Email Address,FNAME,LNAME,Address,OPTIN_TIME,UNSUB_TIME",
         "email first_name last_name address optin_time opt_out"),
        ("Email,Do Not Email,Do Not Call,Converted,Receive More Updates About Our Courses",
         "email opt_out do_not_call converted receive_more_updates_about_our_courses"),
        ("Email,Baja,Convertido,Fecha de conversión", "email opt_out converted converted_at"),
        ("Email,Accepts Email Marketing,Status", "email opt_in status"),
        ("Email,Unsubscribe link,Bajada,Conversion rate,Opt-out reason",
         "email unsubscribe_link bajada conversion_rate opt_out_reason"),
        ("email,Link Calendly,Tamaño (empleados),名前", "email link_calendly tamano_empleados column_4"),
    ],
)  # fmt: skip
def test_columns_are_known_by_the_names_that_programs_give_them(header: str, meanings: str) -> None:
    assert contact_rows.meanings(f"{header}\n") == meanings.split()


@pytest.mark.parametrize("name", [
    "Email Opt Out", "E-mail Opt-Out", "Opted out of email: Marketing Information", "Unsubscribed", "Do not contact",
    "Do not allow Bulk Emails", "Dado de baja", "BAJA NEWSLETTER", "No enviar correos", "No contactar",
    "EMAIL_BLACKLISTED", "No participar en correo electrónico", "Canceló la suscripción a todos los correos",
    "Suscripción cancelada", "Exclusión voluntaria de correo electrónico",
])  # fmt: skip
def test_opt_out_columns_are_known(name: str) -> None:
    assert contact_rows.meanings(f"email,{name}\n") == ["email", "opt_out"]


def test_the_first_filled_of_several_columns_counts_and_the_others_are_attributes() -> None:
    data = (
        "Correo electrónico 2,Correo electrónico,Empresa,Company\n"
        "b@a.example,a@a.example,,Acme\nc@a.example,,Uno,Dos\nd@a.example,no es un correo,,\n"
    )
    first, second, third = contact_rows.rows(data)
    assert (first.address, first.details["company"]) == ("a@a.example", "Acme")
    assert first.attributes == {"correo_electronico_2": "b@a.example"}
    assert (second.address, second.details["company"], second.attributes) == (
        "c@a.example",
        "Uno",
        {"company_4": "Dos"},
    )
    assert third.address == "d@a.example"
    by_name = contact_rows.columns(data)
    assert [column.after for column in by_name.values()] == ["Correo electrónico", None, None, "Empresa"]


def test_a_precise_name_beats_a_vague_one() -> None:
    data = "email,Name,Given Name,Title,Job Title\na@a.example,Ana Ruiz,Ana,Sra.,\nb@a.example,Bea Gil,,,Jefa\n"
    first, second = contact_rows.rows(data)
    assert (first.details, first.attributes) == ({"first_name": "Ana"}, {"name": "Ana Ruiz", "title": "Sra."})
    assert (second.details, second.attributes) == ({"role": "Jefa"}, {"name": "Bea Gil"})
    assert contact_rows.row("email,Name,Title\na@a.example,Ana,CFO\n").details == {"first_name": "Ana", "role": "CFO"}


@pytest.mark.parametrize(
    ("data", "by"),
    [
        ("Contacto,Propietario\nana@a.example,yo@b.example\nbea@a.example,yo@b.example\n", "content"),
        ("Nombre;Dónde escribir\nAna;\nAna;ana@a.example\nBea;bea@a.example\n", "content"),
        ("Correo del trabajo;Nombre\nana@a.example;Ana\nbea@a.example;Bea\n", "name"),
        ("email;Dirección\nsí;ana@a.example\nno;bea@a.example\n", "content"),
        ("Nombre;\nAna\n;ana@a.example\nBea\n;bea@a.example\nLuz\n", "content"),
    ],
)
def test_a_column_whose_values_are_addresses_is_the_address(data: str, by: str) -> None:
    assert [row.address for row in contact_rows.rows(data) if not row.fault] == ["ana@a.example", "bea@a.example"]
    assert [column.by for column in contact_rows.columns(data).values() if column.meaning == "email"] == [by]


def test_an_owner_of_contacts_is_not_their_address() -> None:
    data = "Email,Contact owner email\n,yo@b.example\nana@a.example,yo@b.example\n"
    first, second = contact_rows.rows(data)
    assert first.fault is not None
    assert second.address == "ana@a.example"


def test_a_file_without_a_header_is_read_by_content() -> None:
    first, second = contact_rows.rows("ana@a.example;Ana\nbea@a.example;Bea\n")
    assert (first.line, first.address, first.attributes) == (1, "ana@a.example", {"column_2": "Ana"})
    assert second.address == "bea@a.example"
    assert [row.address for row in contact_rows.rows("ana@a.example\n")] == ["ana@a.example"]


@pytest.mark.parametrize(
    "above",
    [
        "\n",
        "\n,\n\n",
        'Notes:\n"When exporting, you may notice, that some addresses are missing."\n\n',
        "Clientes 2026\n",
    ],
)
def test_lines_above_the_header_are_skipped(above: str) -> None:
    row = contact_rows.row(f"{above}Nombre,Apellidos,Correo\nAna,Ruiz,ana@a.example\n")
    assert (row.address, row.details) == ("ana@a.example", {"first_name": "Ana", "last_name": "Ruiz"})
    assert row.line == above.count("\n") + 2


def test_a_value_that_reads_like_a_header_is_none() -> None:
    rows = "".join(f"{number},Referencia,no\n" for number in range(5))
    with pytest.raises(InvalidInput, match="its columns are Número, Última actividad, Interés, and none holds"):
        contact_rows.rows(f"Número,Última actividad,Interés\n{rows}9,Email,no\n{rows}")


def test_a_mapping_overrides_names() -> None:
    data = "E-mail 1 - Value,E-mail 2 - Value,Interés,Ya no,Notas\na@a.example,b@a.example,Vinos,x,Nada\n"
    row = contact_rows.row(
        data,
        "E-mail 2 - Value=email",
        "interes=industria",
        "Ya no=opt_out",
        "Notas=",
        "x=y=z"[:0] or "E-mail 1 - Value=otro correo",
    )
    assert (row.address, row.details, row.opted_out) == ("b@a.example", {"industry": "Vinos"}, ("b@a.example",))
    assert row.attributes == {"otro_correo": "a@a.example"}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            "E-mail 3 - Value=email",
            "no column 'E-mail 3 - Value'; its columns are E-mail 1 - Value, Nombre; did you mean 'E-mail 1",
        ),
        ("Nombre=frist_name", "did you mean 'first_name'"),
        ("Nombre", "'Nombre' is not NAME=target"),
        ("=email", "is not NAME=target"),
    ],
)
def test_a_mapping_that_fits_no_column_is_refused_with_the_nearest(entry: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=f"^map: .*{says}"):
        contact_rows.rows("E-mail 1 - Value,Nombre\na@a.example,Ana\n", entry)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        (
            "nombre,empresa\nAna,Acme\n",
            "its columns are nombre, empresa, and none holds addresses; call the right one email",
        ),
        ("email" * 40_000, "none holds addresses"),
        ("email," + ",".join(f"c{number}" for number in range(2_000)), "at most 2000"),
        ("ana arroba a,@\n", "its columns are ana arroba a, column 2"),
    ],
)
def test_a_file_without_a_column_for_the_address_is_refused(data: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=f"^header: .*{says}"):
        contact_rows.rows(data)


def test_columns_beyond_a_hundred_attributes_are_left_out() -> None:
    names = [f"Property {number}" for number in range(120)]
    row = contact_rows.row(f"{','.join(names)},Email,Company\n{'x,' * 120}a@a.example,Acme\n")
    assert (row.address, row.details, len(row.attributes)) == ("a@a.example", {"company": "Acme"}, 100)
