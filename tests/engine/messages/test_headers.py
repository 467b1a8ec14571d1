"""Header fields parse back to their values, fit their lines and allow no injection."""

import email
import email.policy
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.headerregistry import AddressHeader

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.messages import headers
from tests import fuzz

READABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn"]), min_size=1, max_size=200)
BREAKS = ["a\nb", "a\rb", "a\r\nBcc: x@x.example", "\x00", "a\x0bb", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]


def parsed(field: str) -> email.message.EmailMessage:
    message = email.message_from_bytes(field.encode("ascii") + b"\r\n\r\n", policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def lines_fit(field: str) -> bool:
    return all(len(line) <= headers.LINE_CHARS for line in field.split("\r\n"))


@given(READABLE)
@settings(max_examples=fuzz.examples(100), deadline=None)
def test_any_subject_comes_back_as_it_went(text: str) -> None:
    field = headers.text_field("Subject", text)
    assert str(parsed(field)["Subject"]) == " ".join(text.split())
    assert lines_fit(field)


def shown(field: str) -> str:
    """The name in an address field; the modern parser of Python 3.11 keeps white space between encoded words."""
    phrase = field.partition(": ")[2].rpartition("<")[0].strip()
    if phrase.startswith('"'):
        return phrase[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return str(make_header(decode_header(phrase)))


@given(READABLE)
@settings(max_examples=fuzz.examples(100), deadline=None)
def test_any_name_comes_back_as_it_went(name: str) -> None:
    field = headers.address_field("To", "juan.perez+1@empresa.example", name)
    to = parsed(field)["To"]
    assert isinstance(to, AddressHeader)
    assert [one.addr_spec for one in to.addresses] == ["juan.perez+1@empresa.example"]
    assert shown(field) == " ".join(name.split())
    assert lines_fit(field)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Hola", "Subject: Hola"),
        ("  a   b ", "Subject: a b"),
        ("Año", "Subject: =?utf-8?b?QcOxbw==?="),
        ("=?utf-8?q?x?=", "Subject: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?="),
        (
            "word " * 20,
            "Subject: word word word word word word word word word word word word word\r\n"
            " word word word word word word word",
        ),
    ],
)  # fmt: skip
def test_a_subject_is_encoded_only_when_it_must_be(text: str, field: str) -> None:
    assert headers.text_field("Subject", text) == field


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("Juan Perez", "Juan Perez <a@a.example>"),
        ("", "a@a.example"),
        ("   ", "a@a.example"),
        ("Perez, Juan", '"Perez, Juan" <a@a.example>'),
        ('J "El" <b@b.example>', '"J \\"El\\" <b@b.example>" <a@a.example>'),
        ("Juan Pérez", "=?utf-8?b?SnVhbiBQw6lyZXo=?= <a@a.example>"),
    ],
)
def test_a_name_is_quoted_when_it_would_be_misread(name: str, phrase: str) -> None:
    assert headers.address_field("To", "a@a.example", name) == f"To: {phrase}"


@pytest.mark.parametrize("breaks", BREAKS)
def test_a_field_is_refused_when_a_value_breaks_it(breaks: str) -> None:
    for write in (
        lambda: headers.text_field("Subject", breaks),
        lambda: headers.address_field("To", "a@a.example", breaks),
        lambda: headers.address_field("To", f"{breaks}@a.example"),
        lambda: headers.message_id_field(f"{breaks}@a.example"),
        lambda: headers.url_field("List-Unsubscribe", f"https://a.example/{breaks}"),
        lambda: headers.mailbox(f"x <{breaks}@a.example>"),
    ):
        with pytest.raises(ValueError, match=r"."):
            write()


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@", "@a", "a b@a.example", "a@a.example, b@a.example", "<a@a.example>", "a@a.example>",
     '"a b"@a.example', "ñ ñ@a.example", "ñ\u2028@a.example", "ñ\x85@a.example", "ñ\ud800@a.example", "ñ@",
     "ñ@a@b.example", "ñ" * 65 + "@a.example", "ñ@" + "a." * 130 + "example", "a@ñ.ex ample", "a@-ñ-.example",
     "a@a.example b", "a@a@a.example", "a@a.example;b", "x" * 65 + "@a.example"],
)  # fmt: skip
def test_an_address_is_refused_when_it_is_not_exactly_one(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        headers.address_field("To", address)


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("juan@ñandú.example", "juan@xn--and-6ma2c.example"),
        ("juan@ÑANDÚ.example", "juan@xn--and-6ma2c.example"),
        ("josé.núñez@empresa.example", "josé.núñez@empresa.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_an_international_address_keeps_its_local_part_and_its_domain_becomes_ascii(address: str, written: str) -> None:
    field = headers.address_field("To", address, "José Núñez")
    assert field == f"To: =?utf-8?b?Sm9zw6kgTsO6w7Fleg==?= <{written}>"
    mail = email.message_from_string(f"{field}\r\n\r\n", policy=email.policy.SMTPUTF8)
    assert [one.addr_spec for one in mail["To"].addresses] == [written]


@pytest.mark.parametrize("bare", ["", "a", "a@", "<a@b>", "a b@c", "a@b c", "a@b>", "ñ@b", "x" * 250 + "@b"])
def test_a_message_id_is_refused_when_it_is_not_left_at_right(bare: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        headers.message_id_field(bare)


def test_a_long_unsubscribe_address_is_not_folded() -> None:
    url = "https://a.example/u/" + "tok-en_" * 40
    field = headers.url_field("List-Unsubscribe", url)
    assert field == f"List-Unsubscribe: <{url}>"
    assert parsed(field)["List-Unsubscribe"] == f"<{url}>"
    with pytest.raises(ValueError, match="one line"):
        headers.url_field("List-Unsubscribe", url * 4)


def test_a_date_is_written_in_utc() -> None:
    madrid = datetime(2026, 11, 24, 10, 30, 5, 999, tzinfo=timezone(timedelta(hours=1)))
    assert headers.date_field(madrid) == "Date: Tue, 24 Nov 2026 09:30:05 +0000"
    assert parsed(headers.date_field(madrid))["Date"].datetime == datetime(2026, 11, 24, 9, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "box"),
    [
        ("a@a.example", headers.Mailbox("a@a.example")),
        ("Ana Gómez <a@a.example>", headers.Mailbox("a@a.example", "Ana Gómez")),
        ('"Gómez, Ana" <a@a.example>', headers.Mailbox("a@a.example", "Gómez, Ana")),
    ],
)
def test_a_mailbox_is_read_when_it_is_one(written: str, box: headers.Mailbox) -> None:
    assert headers.mailbox(written) == box
