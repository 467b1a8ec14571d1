"""The parameter that a click passes to listed landing pages and to no other site."""

from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from models import ids
from tests.conftest import environment
from tests.web import applications
from web import process
from web.public import landing

ORIGINS = ("https://landing.example", "http://127.0.0.1:8080")
OWN = "https://correo.example/p/"
EMAIL = UUID("018d0c1b-2e7a-7c3f-9a5e-4d2b1c0f8e6d")
SUFFIX = f"cadencia={ids.public(EMAIL)}"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://landing.example", f"https://landing.example?{SUFFIX}"),
        ("https://LANDING.example/a", f"https://LANDING.example/a?{SUFFIX}"),
        ("https://landing.example:443/a#b?c", f"https://landing.example:443/a?{SUFFIX}#b?c"),
        ("https://landing.example/?a=%C3%B1&b=+#x", f"https://landing.example/?a=%C3%B1&b=+&{SUFFIX}#x"),
        ("https://landing.example/a?", f"https://landing.example/a?{SUFFIX}"),
        ("http://127.0.0.1:8080/a", f"http://127.0.0.1:8080/a?{SUFFIX}"),
        ("https://correo.example/p/guia?utm_source=a", f"https://correo.example/p/guia?utm_source=a&{SUFFIX}"),
    ],
)
def test_a_target_on_a_listed_origin_gets_the_email_id(target: str, expected: str) -> None:
    assert landing.with_email_id(target, EMAIL, ORIGINS, own=OWN) == expected


@pytest.mark.parametrize(
    "target",
    [
        "http://landing.example/", "https://landing.example:8443/", "https://landing.example.evil.example/",
        "https://evil.example/?https://landing.example", "https://landing.example@evil.example/",
        "https://evil.example\\@landing.example/", "https://evil.example#https://landing.example", "https://[",
        "https://a@landing.example/", "mailto:ana@landing.example", "https://landing.example:x/", "//landing.example/",
        "https://correo.example/u/x", "https://correo.example.evil.example/p/guia", "https://correo.example@evil.example/p/",
    ],
)  # fmt: skip
def test_no_other_target_gets_it(target: str) -> None:
    assert landing.with_email_id(target, EMAIL, ORIGINS, own=OWN) == target
    assert landing.with_email_id(target, EMAIL, (), own=OWN) == target


def test_a_click_passes_its_email_id_only_to_listed_origins(ledger: str) -> None:
    with environment(CORS_ORIGINS="https://landing.example"):
        app = applications.create()
        signer = process.of(app).signer
        for target, carried in (("https://landing.example/a?b=1", True), ("https://agenda.example/a?b=1", False)):
            location = app.test_client().get(f"/c/{signer.clicked(EMAIL, 0, target)}").headers["Location"]
            assert (dict(parse_qsl(urlsplit(location).query)).get("cadencia") == ids.public(EMAIL)) == carried
            assert location.startswith(target)


def test_the_script_is_small_cached_for_an_hour_and_sets_no_cookie(client: FlaskClient) -> None:
    answer = client.get("/track.js")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=3600")
    assert answer.content_type.startswith("text/javascript")
    assert 0 < len(answer.data) < 1_700
    assert "Set-Cookie" not in answer.headers and "cookie" not in answer.text
