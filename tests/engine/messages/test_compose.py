"""A composed message is valid and contains the fields of its e-mail."""

import email
import email.policy
import json
import tempfile
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import errors
from engine.messages import compose
from engine.templates import compiling, templates
from engine.tracking import tokens
from tests import fuzz
from tests.engine.templates.conftest import Write

FOLDER = Path(__file__).parents[3] / "email_templates"
LIBRARY = templates.Library(FOLDER)
SIGNER = tokens.Signer([b"a tracking key of the tests"])
SENDER = compose.From(
    "Lucía Ferrer <lucia@cadencia.example>", "ventas@cadencia.example", "https://mail.cadencia.example/"
)
COMPOSER = compose.Composer(LIBRARY, SIGNER, SENDER)
EMAIL = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
VARIABLES = {"nombre": "Juan Pérez", "industria": "Marketing", "link_calendly": "https://agenda.example/?a=1&b=2"}


def message(**changes: Any) -> compose.Email:
    row = {
        "email_id": EMAIL, "message_id": "0199a1b2@cadencia.example", "to": "juan@empresa.example",
        "to_name": "Juan Pérez", "template": "email_1_roi", "variables": VARIABLES, "kind": "marketing",
    }  # fmt: skip
    return compose.Email(**{**row, **changes})


def parsed(raw: bytes) -> email.message.EmailMessage:
    read = email.message_from_bytes(raw, policy=email.policy.SMTP.clone(raise_on_defect=True))
    assert isinstance(read, email.message.EmailMessage)
    return read


def part(raw: bytes, kind: str) -> str:
    body = parsed(raw).get_body((kind,))
    assert body is not None
    payload = body.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8")


def test_a_message_has_its_header_fields() -> None:
    raw = COMPOSER.compose(message(), now=NOW, eight_bit=True).data
    mail = parsed(raw)
    assert mail["From"] == "Lucía Ferrer <lucia@cadencia.example>"
    assert mail["To"] == "Juan Pérez <juan@empresa.example>"
    assert mail["Reply-To"] == "ventas@cadencia.example"
    assert mail["Subject"] == "Juan Pérez, lo que cuesta no hacer seguimiento en Marketing"
    assert mail["Date"].datetime == NOW
    assert mail["Message-ID"] == "<0199a1b2@cadencia.example>"
    assert mail["Auto-Submitted"] is None
    assert mail["MIME-Version"] == "1.0"
    assert len(mail.keys()) == len(set(mail.keys()))


def test_a_marketing_email_has_one_click_unsubscribe() -> None:
    raw = COMPOSER.compose(message(), now=NOW, eight_bit=True).data
    url = f"https://mail.cadencia.example/u/{SIGNER.unsubscribe(EMAIL)}"
    assert f"\r\nList-Unsubscribe: <{url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode() in raw
    assert url in part(raw, "plain")
    assert url in part(raw, "html")


def test_a_transactional_email_has_no_unsubscribe_address_and_expects_no_reply() -> None:
    raw = COMPOSER.compose(message(kind="transactional"), now=NOW, eight_bit=True).data
    assert (parsed(raw)["List-Unsubscribe"], parsed(raw)["Auto-Submitted"]) == (None, "auto-generated")
    assert "/u/" not in part(raw, "html") + part(raw, "plain")


def test_links_and_pixel_identify_the_email() -> None:
    raw = COMPOSER.compose(message(), now=NOW, eight_bit=True).data
    for body in (part(raw, "html"), part(raw, "plain")):
        token = body.partition("https://mail.cadencia.example/c/")[2].partition('"')[0].partition(">")[0]
        assert SIGNER.read_clicked(token) == tokens.Click(EMAIL, 0, VARIABLES["link_calendly"])
    pixel = part(raw, "html").partition("https://mail.cadencia.example/o/")[2].partition(".gif")[0]
    assert SIGNER.read_opened(pixel) == EMAIL


def test_composing_twice_gives_the_same_bytes() -> None:
    first, second = (COMPOSER.compose(message(), now=NOW, eight_bit=True).data for _ in range(2))
    assert first == second


def test_a_message_is_ascii_when_the_server_does_not_support_8bitmime() -> None:
    eight, seven = (COMPOSER.compose(message(), now=NOW, eight_bit=flag).data for flag in (True, False))
    assert seven.isascii()
    assert not eight.isascii()
    for kind in ("plain", "html"):
        assert part(seven, kind) == part(eight, kind)


def test_the_boundary_occurs_only_between_the_parts() -> None:
    for kind in ("marketing", "transactional"):
        raw = COMPOSER.compose(message(kind=kind), now=NOW, eight_bit=True).data
        boundary = SIGNER.email(EMAIL).boundary()
        assert parsed(raw).get_boundary() == f"=_{boundary.decode()}"
        assert raw.count(boundary) == 1 + 3


@pytest.mark.parametrize("name", ["_links._tokens", "_links._tokens.boundary()", "_links.boundary", "_tokens"])
def test_no_template_can_read_the_boundary(write: Write, name: str) -> None:
    for subject, body in (("Asunto", f"{{{{ {name} }}}}"), (f"{{{{ {name} }}}}", "<p>Hola</p>")):
        with pytest.raises(compiling.BrokenTemplate, match="leading underscore are reserved"):
            write(body, subject=subject)


@pytest.mark.parametrize("name", LIBRARY.names())
@pytest.mark.parametrize("kind", ["marketing", "transactional"])
def test_every_template_composes_with_its_sample(name: str, kind: str) -> None:
    raw = COMPOSER.compose(
        message(template=name, variables=LIBRARY.get(name).sample, kind=kind), now=NOW, eight_bit=True
    ).data
    assert len(raw) < 12_000
    assert "{" not in part(raw, "plain")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variables": {"nombre": "a"}}, "email_1_roi.*variables.industria.*variables.link_calendly"),
        ({"variables": VARIABLES | {"nombre": "secreto\nBcc: secreto@x.example"}}, "variables.nombre.*line break"),
        ({"variables": VARIABLES | {"industria": "secreto\x00"}}, "variables.industria"),
        ({"variables": VARIABLES | {"empresa": "secreto\x00"}}, "variables.empresa.*NUL"),
        ({"variables": VARIABLES | {"empresa": "secreto\ud800"}}, "variables.empresa"),
        ({"variables": VARIABLES | {"empresa": ["secreto"]}}, "list cannot be printed"),
        ({"variables": VARIABLES | {"empresa": object()}}, "variables.empresa"),
        ({"to": "secreto@x.example, b@x.example"}, "To: is not one"),
        ({"to": "secreto@ñ .example"}, "To: is not one"),
        ({"to_name": "secreto\r\nBcc: x@x.example"}, "To: contains a line break"),
        ({"message_id": "<secreto@x>"}, "Message-ID"),
    ],
)
def test_an_email_that_cannot_be_composed_gives_a_reason_without_values(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(compose.CannotCompose, match=reason) as refused:
        COMPOSER.compose(message(**changes), now=NOW, eight_bit=True)
    assert "secreto" not in str(refused.value)
    assert isinstance(refused.value, errors.CadenciaError)


@pytest.mark.parametrize(
    ("changes", "is_render"),
    [
        ({"variables": {}}, True),
        ({"variables": VARIABLES | {"empresa": ["x"]}}, True),
        ({"to": "a@x.example, b@x.example"}, False),
        ({"to": "ñ@x.example"}, False),
        ({"to_name": "a\r\nb"}, False),
        ({"message_id": "<x>"}, False),
    ],
)
def test_a_failure_tells_if_the_template_failed_on_the_variables(changes: dict[str, Any], is_render: bool) -> None:
    with pytest.raises(compose.CannotCompose) as refused:
        COMPOSER.compose(message(**changes), now=NOW, eight_bit=False)
    assert refused.value.is_render is is_render


def test_a_template_that_does_not_exist_is_no_fault_of_the_email() -> None:
    with pytest.raises(compiling.UnusableTemplate, match=r"email_9.*email_1_roi"):
        COMPOSER.compose(message(template="email_9"), now=NOW, eight_bit=True)


def test_an_invalid_link_is_dropped_and_the_email_is_composed() -> None:
    raw = COMPOSER.compose(
        message(variables=VARIABLES | {"link_calendly": "javascript:alert(1)"}), now=NOW, eight_bit=True
    ).data
    assert 'href="#"' in part(raw, "html")
    assert "javascript" not in raw.decode()


@pytest.mark.parametrize(
    "sender",
    [
        compose.From("nobody", None, "https://a.example"),
        compose.From("a@a.example", "x <nobody>", "https://a.example"),
        compose.From("a@a.example", None, "a.example"),
        compose.From("a@a.example", None, f"https://a.example/{'a' * 930}"),
        compose.From("a@a.example\nBcc: b@b.example", None, "https://a.example"),
    ],
)
def test_an_invalid_sender_is_refused_at_once(sender: compose.From) -> None:
    with pytest.raises(ValueError, match=r"From|Reply-To|public_url|List-Unsubscribe"):
        compose.Composer(LIBRARY, SIGNER, sender)


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ue000\ue001"), max_size=40)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
NAMES = st.sampled_from(["a", "b", "c"])
PLACES = st.one_of(
    WORDS.map(lambda text: f"<p>{text.replace('&', '&amp;').replace('<', '&lt;').replace('{', '&#123;')}</p>"),
    NAMES.map(lambda name: f"<p>{{{{ {name} }}}}</p>"),
    NAMES.map(lambda name: f"{{% if {name} %}}<div title='{{{{ {name} }}}}'>{{{{ {name}|upper }}}}</div>{{% endif %}}"),
    NAMES.map(lambda name: f"<table><tr>{{% for x in [{name}, 1] %}}<td>{{{{ x }}}}</td>{{% endfor %}}</tr></table>"),
    NAMES.map(lambda name: f'<a href="https://a.example/{{{{ {name}|urlencode }}}}">{{{{ {name} }}}}</a>'),
    st.just('<a href="https://b.example/?x=1&amp;y=2">fixed</a>'),
    st.just("<!--[if mso]>{{ a|length }}<![endif]-->"),
)


@given(
    st.lists(PLACES, max_size=8),
    st.fixed_dictionaries({"a": VALUES, "b": VALUES, "c": VALUES}),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120),
    st.booleans(),
)
@settings(max_examples=fuzz.examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_template_and_values_read_back_from_the_message(
    places: list[str], values: dict[str, str], subject: str, eight_bit: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "any"
        home.mkdir()
        for name, source in (
            ("subject.txt", "S: {{ s }}"),
            ("body.html", "\n".join(places) or "<p></p>"),
            ("sample.json", "{}"),
        ):
            (home / name).write_text(source, "utf-8", newline="")
        library = templates.Library(Path(folder))
        template = library.get("any")
    variables = {**values, "s": subject}
    assert template.check(variables) == []
    raw = (
        compose.Composer(library, SIGNER, SENDER)
        .compose(message(template="any", variables=variables), now=NOW, eight_bit=eight_bit)
        .data
    )
    mail = parsed(raw)
    assert mail["Subject"] == " ".join(f"S: {subject}".split())
    html, text = part(raw, "html"), part(raw, "plain")
    for name in values:
        shown = values[name].replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
        if f"<p>{{{{ {name} }}}}</p>" in places:
            assert f"<p>{shown}</p>" in unescape(html)
            assert shown.strip() in text
    assert all(len(line) <= 998 and not {10, 13, 0} & set(line) for line in raw.split(b"\r\n"))
    assert eight_bit or raw.isascii()
    assert html.count("/c/") >= sum("<a " in place for place in places)


def test_the_samples_use_only_reserved_domains() -> None:
    for name in LIBRARY.names():
        sample = json.dumps(dict(LIBRARY.get(name).sample))
        assert sample.count("://") == sample.count(".example/")
