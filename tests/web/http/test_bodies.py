"""Strict reading of bodies: refusals and their order; no body causes a 5xx."""

import json
import random
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import BadRequest

from tests import fuzz
from tests.conftest import environment
from tests.web import applications
from tests.web.examples import JSON, send
from web.http import bodies

URL = "/api/v1/emails/send"
DEEP = 100_000

BAD_JSON: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"hola",
    "cut short": b'{"to": "a',
    "single quotes": b"{'to': 1}",
    "a trailing comma": b'{"to": 1,}',
    "two values": b"{} {}",
    "a comment": b"{} // x",
    "NaN": b'{"to": NaN}',
    "Infinity": b'{"to": Infinity}',
    "-Infinity": b'{"to": [-Infinity]}',
    "a number too large": b'{"to": 1e999}',
    "a number too long": b'{"to": ' + b"9" * 5_000 + b"}",
    "the same key twice": b'{"to": "a", "to": "b"}',
    "the same key twice, inside": b'{"variables": {"a": 1, "a": 1}}',
    "NUL, escaped": b'{"to": "a\\u0000b"}',
    "NUL in a key": b'{"a\\u0000": 1}',
    "NUL, raw": b'{"to": "a\x00b"}',
    "a raw line break": b'{"to": "a\nb"}',
    "half a surrogate pair": b'{"to": "\\ud800"}',
    "the other half": b'{"variables": {"a": ["\\udfff"]}}',
    "half a pair as a key": b'{"\\ud800": 1}',
    "not UTF-8": b'{"to": "\xff"}',
    "Latin-1": '{"to": "ñ"}'.encode("latin-1"),
    "UTF-16": '{"to": "a"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "arrays a hundred thousand deep": b"[" * DEEP,
    "objects a hundred thousand deep": b'{"a":' * DEEP,
    "closed arrays a hundred thousand deep": b"[" * DEEP + b"]" * DEEP,
    "thirty-three deep": b'{"variables": ' + b"[" * 32 + b"]" * 32 + b"}",
}


def test_bad_json_is_400_and_says_why(client: FlaskClient, sender: dict[str, str]) -> None:
    for case, body in BAD_JSON.items():
        answer = client.post(URL, data=body, headers=sender | JSON)
        assert (answer.status_code, answer.content_type) == (400, "application/problem+json"), case
        assert answer.json["detail"].startswith("body: "), case


@pytest.mark.parametrize("depth", [1, 31, 32])
def test_parse_takes_up_to_32_levels(depth: int) -> None:
    assert bodies.parse(b"[" * depth + b"]" * depth) is not None


def test_parse_checks_text_at_every_level() -> None:
    for depth in range(33):
        with pytest.raises(BadRequest):
            bodies.parse(b"[" * depth + b'"\\u0000"' + b"]" * depth)


def test_parse_takes_what_json_has() -> None:
    value = {"a": [1, 2.5, -3e10, True, None, "ñ \N{SLIGHTLY SMILING FACE}"], "b": {"c": {}}}
    assert bodies.parse(json.dumps(value).encode()) == value
    assert bodies.parse(json.dumps(value, ensure_ascii=False).encode()) == value


def test_the_type_must_be_json_in_utf_8_and_not_compressed(client: FlaskClient, sender: dict[str, str]) -> None:
    for header in (
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ):
        answer = client.post(URL, data=json.dumps(send()), headers=sender | header)
        assert (answer.status_code, answer.content_type) == (415, "application/problem+json"), header
    header = {"Content-Type": "application/json; charset=UTF-8"}
    assert client.post(URL, data=json.dumps(send()), headers=sender | header).status_code == 202


def test_the_order_is_who_then_type_then_size_then_syntax_then_fields(
    client: FlaskClient, sender: dict[str, str]
) -> None:
    large = b"[" + b" " * 1_000_001
    assert client.post(URL, data=large, headers={"Content-Type": "text/plain"}).status_code == 401
    assert client.post(URL, data=large, headers=sender | {"Content-Type": "text/plain"}).status_code == 415
    assert client.post(URL, data=large, headers=sender | JSON).status_code == 413
    assert client.post(URL, data=b"[", headers=sender | JSON).status_code == 400
    assert client.post(URL, data=b"[]", headers=sender | JSON).status_code == 422


def test_a_body_that_hides_its_length_is_cut_at_the_limit(client: FlaskClient, sender: dict[str, str]) -> None:
    hidden = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    body = b" " * 3_000_000
    answer = client.post(URL, data=body, headers=sender | JSON, environ_overrides=hidden)
    assert answer.status_code == 413


def nasty() -> list[bytes]:
    """Two hundred bodies: invalid JSON, JSON of the wrong shape, and valid requests with one change."""
    random_ = random.Random(7)
    values: list[Any] = [
        None, True, 0, -1, 1.5, 10**300, "", " ", "\u202e", "\x7f", "x" * 70_000, [], [[]], {}, {"a": None}, "1e5",
        "2024-01-15", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 1_705_312_800, "1705312800",
        "\ufeff", "../../etc/passwd", "{{ 7*7 }}", "{% for x in range(9) %}", "' OR 1=1 --", "%s%n", "\U0010ffff",
        "a@b", "a" * 300 + "@empresa.example", "=cmd|'/C calc'!A0", list(range(1_000)), {"__proto__": {"a": 1}},
    ]  # fmt: skip
    whole: list[dict[str, Any]] = [
        send(),
        {"emails": [send(), send()]},
        {"email_id": "email_" + "0" * 32, "event_type": "opened", "timestamp": "2024-01-15T10:05:00Z"},
        {"account": "a", "password": "b"},
        {"name": "c", "steps": [{"template": "email_1_roi"}]},
    ]
    twisted = []
    for value in values:
        for body in whole:
            twisted.append({**body, random_.choice(list(body)): value})
    twisted += [{**send(), "variables": {**send()["variables"], "nombre": value}} for value in values]
    shapes = [json.dumps(value).encode() for value in values] + [json.dumps(body).encode() for body in twisted]
    return [*BAD_JSON.values(), *shapes]


def test_no_body_makes_a_5xx_on_any_route(bearer: Any) -> None:
    with environment(LOGIN_RATE="1000000 per minute", TRACK_RATE="1000000 per minute"):
        app = applications.create()
    client, headers = app.test_client(), bearer("admin") | JSON
    corpus = nasty()
    assert len(corpus) >= 200
    posts = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    for rule in posts:
        url = rule.replace("<campaign_id>", "0" * 32).replace("<token>", "x").replace("<contact_id>", "0" * 32)
        # Without a session a page reads no body; a check of a password is slow on purpose.
        number = 2 if rule.startswith("/app/") else 10 if "/auth/" in rule else fuzz.examples(20)
        for body in random.Random(rule).sample(corpus, min(number, len(corpus))):
            answer = client.post(url, data=body, headers=headers)
            assert answer.status_code < 500, (rule, body[:200], answer.text)
            assert (
                answer.status_code < 400
                or "problem+json" in answer.content_type
                or url.startswith(("/u/", "/f/", "/p/", "/app/"))
            )
