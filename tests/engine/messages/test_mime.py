"""A body reads back as it was written, with and without 8BITMIME."""

import email
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.messages import mime
from tests import fuzz

LINES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), max_size=120), max_size=12
)


def parts(raw: bytes) -> list[email.message.MIMEPart]:
    message = email.message_from_bytes(raw, policy=email.policy.default.clone(raise_on_defect=True))
    assert message.get_content_type() == "multipart/alternative"
    assert isinstance(message, email.message.EmailMessage)
    bodies = list(message.iter_parts())
    assert [part.get_content_type() for part in bodies] == ["text/plain", "text/html"]
    return bodies


def content(part: email.message.MIMEPart) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8")


def legal(raw: bytes) -> bool:
    lines = raw.split(b"\r\n")
    return all(len(line) <= 998 and b"\r" not in line and b"\n" not in line and b"\0" not in line for line in lines)


@given(LINES, LINES, st.booleans())
@settings(max_examples=fuzz.examples(60), deadline=None)
def test_any_body_comes_back_as_it_went(text: list[str], html: list[str], eight_bit: bool) -> None:
    words = ["\r\n".join([*text, ""]), "\r\n".join([*html, ""])]
    raw = mime.alternative(words[0].encode(), words[1].encode(), boundary=b"n1", eight_bit=eight_bit)
    assert [content(part) for part in parts(raw)] == words
    assert legal(raw)
    assert eight_bit or raw.isascii()


@pytest.mark.parametrize(
    ("words", "eight_bit", "encoding"),
    [
        ("plain\r\n", False, "7bit"),
        ("plain\r\n", True, "7bit"),
        ("año\r\n", True, "8bit"),
        ("año de buenas palabras, casi todas en ASCII\r\n", False, "quoted-printable"),
        ("今日は世界\r\n", False, "base64"),
        ("x" * 998 + "\r\n", True, "7bit"),
        ("x" * 999 + "\r\n", True, "quoted-printable"),
        ("a\r\n" * 500 + "x" * 999, True, "quoted-printable"),
        ("ñ" * 499 + "\r\n", True, "8bit"),
        ("ñ" * 500 + "\r\n", True, "base64"),
        (".\r\n..\r\nFrom x\r\n", False, "7bit"),
        ("", True, "7bit"),
    ],
)
def test_a_part_is_encoded_only_when_it_must_be(words: str, eight_bit: bool, encoding: str) -> None:
    raw = mime.alternative(words.encode(), words.encode(), boundary=b"n1", eight_bit=eight_bit)
    assert [part["Content-Transfer-Encoding"] for part in parts(raw)] == [encoding, encoding]
    assert [content(part).rstrip("\r\n") for part in parts(raw)] == [words.rstrip("\r\n")] * 2
    assert legal(raw)


@given(st.lists(st.integers(0, 1_500), max_size=8))
@settings(max_examples=fuzz.examples(50), deadline=None)
def test_a_long_line_is_detected_at_any_position(lengths: list[int]) -> None:
    data = b"\r\n".join(b"x" * length for length in lengths)
    assert mime.has_long_line(data) == any(length > 998 for length in lengths)
