"""Bad input is refused with a reason, or arrives as it was meant."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from engine.delivery.outcomes import Rejected
from engine.delivery.smtp import envelope
from engine.delivery.smtp.prefetch import OutgoingMessage
from engine.delivery.smtp.reply_parser import Features
from engine.messages import compose
from engine.templates import templates
from engine.tracking import tokens
from tests.engine.templates.conftest import NOW, Write

EMAIL = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
SENDER = compose.From("ventas@cadencia.example", None, "https://mail.cadencia.example")
BOTH_WAYS = pytest.mark.parametrize("eight_bit", [True, False])
UNICODE_RELAY = Features(eight_bit=True, smtputf8=True)


@pytest.fixture
def composed(tmp_path: Path, write: Write) -> Any:
    """Return a function that composes an e-mail whose HTML is `body`, with the variable `v`."""

    def made(body: str, v: object = "", *, eight_bit: bool = True, subject: str = "S", **row: Any) -> bytes:
        write(body, subject=subject)
        composer = compose.Composer(
            templates.Library(tmp_path), tokens.Signer([b"a tracking key of the tests"]), SENDER
        )
        fields = {"to": "juan@empresa.example", "to_name": None, "message_id": "1@cadencia.example", **row}
        message = compose.Email(email_id=EMAIL, template="prueba", variables={"v": v}, kind="transactional", **fields)
        return composer.compose(message, now=NOW, eight_bit=eight_bit).data

    return made


def read(raw: bytes) -> EmailMessage:
    assert all(len(line) <= 998 and not {0, 10, 13} & set(line) for line in raw.split(b"\r\n"))
    mail = email.message_from_bytes(raw, policy=email.policy.SMTP.clone(raise_on_defect=True))
    assert isinstance(mail, EmailMessage)
    return mail


def parts(raw: bytes) -> list[str]:
    return [part.get_payload(decode=True).decode() for part in read(raw).iter_parts()]


@pytest.mark.parametrize(
    "body",
    [
        "{{ v }}" * 20,
        "{% for i in range(20) %}{{ v }}{% endfor %}",
        "{{ v|upper }}" * 20,
        "{% for i in range(20) %}<a href='https://a.example/{{ v }}'>x</a>{% endfor %}",
        "{% set w %}{{ v }}{% endset %}{{ w }}{{ w }}" * 10,
    ],
)
def test_an_email_over_a_megabyte_is_refused(composed: Any, body: str) -> None:
    with pytest.raises(compose.CannotCompose, match=r"prueba.*(makes more than 1000000|too long)"):
        composed(body, "x" * 60_000)


@BOTH_WAYS
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_many_lines_arrive_as_lines(composed: Any, end: str, eight_bit: bool) -> None:
    text, html = parts(composed("<pre>{{ v }}</pre>", f"año{end}" * 10_000, eight_bit=eight_bit))
    assert html.count("año\r\n") == text.count("año\r\n") == 10_000


@BOTH_WAYS
@pytest.mark.parametrize(
    "body",
    [
        "<p>{{ v }}</p>",
        "<p>{{ v|trim }}</p>",
        "<p>{% filter replace('-', '\n') %}a-b-c{% endfilter %}</p>",
        "<p>{% filter replace('-', '\r') %}a-b-c{% endfilter %}</p>",
        "<p>{% set w %}{{ v }}{% endset %}{{ w }}</p>",
        "<p>{{ ['a', 'b', 'c']|join('\r') }}</p>",
    ],
)
def test_a_lone_cr_or_lf_becomes_a_line_end(composed: Any, body: str, eight_bit: bool) -> None:
    for part in parts(composed(body, "a\rb\nc", eight_bit=eight_bit)):
        assert "a\r\nb\r\nc" in part


@pytest.mark.parametrize("body", ["<p>{{ v }}</p>", "<p>{{ v|upper }}</p>", "<b title='{{ v }}'>x</b>"])
def test_a_nul_is_refused(composed: Any, body: str) -> None:
    with pytest.raises(compose.CannotCompose, match="NUL"):
        composed(body, "https://a.example/\0")


@pytest.mark.parametrize(
    ("word", "eight_bit", "encoding"),
    [
        ("x" * 998, True, "7bit"),
        ("x" * 999, True, "quoted-printable"),
        ("ñ" * 499, True, "8bit"),
        ("ñ" * 499, False, "base64"),
        ("x" * 1_000, True, "quoted-printable"),
        ("x" * 1_000, False, "quoted-printable"),
        ("ñ" * 1_000, True, "base64"),
        ("ñ" * 1_000, False, "base64"),
        ("=" * 1_000, True, "quoted-printable"),
    ],
)
def test_a_word_longer_than_a_line_is_encoded(composed: Any, word: str, eight_bit: bool, encoding: str) -> None:
    raw = composed("<p>\n{{ v }}\n</p>", word, eight_bit=eight_bit)
    assert [part["Content-Transfer-Encoding"] for part in read(raw).iter_parts()][1] == encoding
    assert f"<p>\r\n{word}\r\n</p>" in parts(raw)[1]
    assert f"{word}\r\n" in parts(raw)[0]


@BOTH_WAYS
@pytest.mark.parametrize(
    "words",
    [
        "שלום \u202eעולם\u202c",  # right to left, with an override
        "مرحبا بالعالم",
        "e\u0301 n\u0303 a\u0300\u0301\u0302\u0303" + "\u0301" * 100,  # many marks on one character
        "\u200dfamilia 👨\u200d👩\u200d👧 \ufe0f",
        "\u2066aislado\u2069 \ufeff fin",
    ],
)
def test_right_to_left_and_combining_characters_arrive_untouched(composed: Any, words: str, eight_bit: bool) -> None:
    raw = composed("<p>{{ v }}</p>", words, subject="S {{ v }} .", to_name=words, eight_bit=eight_bit)
    assert all(words in part for part in parts(raw))
    assert read(raw)["Subject"] == f"S {words} ."
    assert raw.split(b"Content-Type", 1)[0].isascii()


@BOTH_WAYS
def test_lines_that_begin_with_dots_are_transmitted_unchanged(composed: Any, eight_bit: bool) -> None:
    raw = composed("<p>\n{{ v }}\n</p>\n", ".\n..\n.x\n.\r\nQUIT\r\n.", eight_bit=eight_bit)
    wire = envelope.dot_stuffed(raw)
    assert wire.endswith(b"\r\n.\r\n")
    lines = wire.removesuffix(b".\r\n").split(b"\r\n")
    assert b"." not in lines
    received = b"\r\n".join(line.removeprefix(b".") for line in lines)  # RFC 5321 section 4.5.2, the receiver's side
    assert received == raw
    assert "\r\n.\r\n..\r\n.x\r\n.\r\nQUIT\r\n.\r\n" in parts(received)[1]


def test_an_international_address_is_kept_and_requires_smtputf8(composed: Any) -> None:
    raw = composed("<p>Hola</p>", to="josé@ñandú.example", to_name="José Núñez")
    assert "\r\nTo: =?utf-8?b?Sm9zw6kgTsO6w7Fleg==?= <josé@xn--and-6ma2c.example>\r\n".encode() in raw
    message = OutgoingMessage(0, "josé@ñandú.example", raw)
    _, commands = envelope.Envelope("a@a.example").prepare(message, UNICODE_RELAY)
    assert commands.startswith("MAIL FROM:<a@a.example> BODY=8BITMIME SMTPUTF8\r\n")
    assert "\r\nRCPT TO:<josé@xn--and-6ma2c.example>\r\n" in commands
    with pytest.raises(envelope.CannotSend) as refused:
        envelope.Envelope("a@a.example").prepare(message, Features(eight_bit=True))
    assert isinstance(refused.value.outcome, Rejected)
    assert refused.value.outcome.status == "5.6.7"


def test_an_international_domain_needs_no_extension_of_the_relay(composed: Any) -> None:
    raw = composed("<p>Hola</p>", to="jose@ñandú.example", eight_bit=False)
    assert read(raw)["To"].addresses[0].addr_spec == "jose@xn--and-6ma2c.example"
    _, commands = envelope.Envelope("a@a.example").prepare(OutgoingMessage(0, "jose@ñandú.example", raw), Features())
    assert commands.startswith("MAIL FROM:<a@a.example>\r\nRCPT TO:<jose@xn--and-6ma2c.example>\r\n")


def test_an_international_address_is_refused_when_the_relay_supports_only_ascii(composed: Any) -> None:
    with pytest.raises(compose.CannotCompose, match="To: the local part is not ASCII") as refused:
        composed("<p>Hola</p>", to="josé@empresa.example", eight_bit=False)
    assert "josé" not in str(refused.value)
