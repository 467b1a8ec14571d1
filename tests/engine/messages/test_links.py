"""The addresses of an e-mail are signed, and an invalid target is never linked."""

from uuid import UUID

import pytest

from engine.messages import links
from engine.tracking import tokens
from tests.engine.templates.conftest import Write


@pytest.mark.parametrize(
    ("target", "harmless"),
    [
        ("javascript:alert(1)", False), ("JaVaScRiPt:alert(1)", False), ("data:text/html,x", False), ("", False),
        ("//a.example", False), ("/a", False), ("vbscript:x", False), ("https://", False), ("ftp://a", False),
        (" \tjavascript:x", False), ("mailto:a\n@b", False), ("https://a.example/\r\nX: y", False),
        ("mailto:a@a.example", True), ("TEL:+34", True),
        ("whatsapp://send?phone=34600000000", True), ("webcal://a.example/x.ics", True),
    ],
)  # fmt: skip
def test_a_target_is_dropped_when_it_is_not_a_web_address(write: Write, target: str, harmless: bool) -> None:
    template = write('<a href="{{ v }}">a</a>')
    email = UUID(int=7)
    mail = links.SignedLinks(tokens.Signer([b"k" * 32]).email(email), "https://us.example", unsubscribes=False)
    assert f'href="{target if harmless else "#"}"' in template.render({"v": target}, mail).html
    faults = template.check({"v": target})
    assert [fault.field for fault in faults] == ([] if harmless else ["variables.v"])


def test_the_addresses_of_an_email_are_signed() -> None:
    signer, email = tokens.Signer([b"k" * 32]), UUID(int=7)
    mail = links.SignedLinks(signer.email(email), "https://us.example/mail", unsubscribes=True)
    clicked = mail.clicked(2, "https://a.example")
    assert clicked == mail.clicked(2, "https://a.example")
    assert signer.read_clicked(clicked.removeprefix("https://us.example/mail/c/")).target == "https://a.example"
    assert signer.read_opened(mail.pixel.removeprefix("https://us.example/mail/o/").removesuffix(".gif")) == email
    assert signer.read_unsubscribe(mail.unsubscribe.removeprefix("https://us.example/mail/u/")) == email
    assert links.SignedLinks(signer.email(email), "https://us.example", unsubscribes=False).unsubscribe == ""
