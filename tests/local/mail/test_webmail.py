"""The page of the inbox."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from local.mail import webmail
from local.mail.mailstore import Mailstore
from local.mail.webmail import reading

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HTML = '<!doctype html>\n<html><body><a href="https://example.com/">Verás</a><script>bad()</script></body></html>\n'


@pytest.fixture
def store(tmp_path: Path) -> Mailstore:
    """An empty inbox."""
    return Mailstore(tmp_path)


@pytest.fixture
def page(store: Mailstore) -> FlaskClient:
    """An HTTP client of its page."""
    return webmail.create_app(store).test_client()


def _mail(subject: str = "¿Hablamos, Íñigo?", *, html: str = HTML) -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Cadencia <hola@cadencia.example>"
    message["Message-ID"] = "<1@cadencia.example>"
    message.set_content("Una línea de texto\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes(policy=SMTP)


def _add(store: Mailstore, raw: bytes, to: str = "ana@example.com") -> int:
    return store.add(raw, sender="hola@cadencia.example", recipients=[to], received_at=NOON)


def test_the_page_says_so_when_the_inbox_is_empty(page: FlaskClient) -> None:
    assert "No mail yet" in page.get("/").text


def test_the_list_has_the_newest_fifty_and_a_link_to_older_ones(store: Mailstore, page: FlaskClient) -> None:
    for number in range(1, 61):
        _add(store, _mail(f"Mail {number}."))
    first = page.get("/").text
    assert "60 messages" in first
    assert first.index("Mail 60.") < first.index("Mail 11.")
    assert "Mail 10." not in first
    assert 'href="/?before=11"' in first
    second = page.get("/?before=11").text
    assert "Mail 10." in second
    assert "Mail 1." in second
    assert "Older" not in second


def test_the_list_has_only_that_recipient_when_searched(store: Mailstore, page: FlaskClient) -> None:
    _add(store, _mail("For Ana"), to="ana@example.com")
    _add(store, _mail("For Blas"), to="blas@example.com")
    listed = page.get("/?to=ANA").text
    assert "For Ana" in listed
    assert "For Blas" not in listed
    assert "No such message" in page.get("/?to=carla").text


def test_a_message_shows_its_fields_and_a_sandboxed_frame_when_it_has_html(store: Mailstore, page: FlaskClient) -> None:
    text = page.get(f"/messages/{_add(store, _mail())}").text
    assert "¿Hablamos, Íñigo?" in text
    assert "hola@cadencia.example → ana@example.com" in text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in text
    assert 'src="/messages/1/body"' in text


def test_a_shown_message_runs_no_scripts_and_loads_no_images(store: Mailstore, page: FlaskClient) -> None:
    answer = page.get(f"/messages/{_add(store, _mail())}/body")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert "script" not in policy
    assert "img-src data:;" in policy
    assert answer.text.startswith('<!doctype html><base target="_blank">')
    assert "Verás" in answer.text
    asked = page.get("/messages/1/body?images=1").headers["Content-Security-Policy"]
    assert "img-src data: http: https:;" in asked


@pytest.mark.parametrize(
    ("view", "shown"),
    [("text", "Una línea de texto"), ("headers", "Message-ID: &lt;1@cadencia.example&gt;"), ("source", "multipart/")],
)
def test_each_view_shows_its_part_when_chosen(store: Mailstore, page: FlaskClient, view: str, shown: str) -> None:
    assert shown in page.get(f"/messages/{_add(store, _mail())}?view={view}").text


def test_the_text_is_shown_when_there_is_no_html(store: Mailstore, page: FlaskClient) -> None:
    number = _add(store, _mail(html=""))
    assert "Una línea de texto" in page.get(f"/messages/{number}").text
    assert page.get(f"/messages/{number}/body").status_code == 404


def test_markup_is_shown_as_text_when_it_is_in_a_subject(store: Mailstore, page: FlaskClient) -> None:
    number = _add(store, b"Subject: <script>alert(1)</script>\r\n\r\nhola\r\n")
    for path in ("/", f"/messages/{number}", f"/messages/{number}?view=headers"):
        assert "<script>" not in page.get(path).text
        assert "&lt;script&gt;" in page.get(path).text


def test_the_download_is_the_message_as_received(store: Mailstore, page: FlaskClient) -> None:
    raw = _mail()
    answer = page.get(f"/messages/{_add(store, raw)}.eml")
    assert (answer.mimetype, answer.data) == ("message/rfc822", raw)


@pytest.mark.parametrize("path", ["/messages/1", "/messages/1/body", "/messages/1.eml"])
def test_the_answer_is_404_when_there_is_no_such_message(page: FlaskClient, path: str) -> None:
    assert page.get(path).status_code == 404


def test_a_request_for_another_host_is_refused(page: FlaskClient) -> None:
    assert page.get("/", headers={"Host": "rebound.example"}).status_code == 400


def test_every_page_forbids_scripts_when_served(store: Mailstore, page: FlaskClient) -> None:
    _add(store, _mail())
    for path in ("/", "/messages/1", "/static/inbox.css"):
        headers = page.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Subject: =?utf-8?q?=FF?= \xff\r\n\r\n\xff",
        b"Subject: x\r\nTo: <<@\r\nMessage-ID: <[\r\nFrom: =?x?y\r\n\r\nbody",
        b"Content-Type: text/html; charset=no-such\r\n\r\n<p>\xc3\xb1</p>",
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
    ],
)
def test_a_malformed_message_is_shown(store: Mailstore, page: FlaskClient, raw: bytes) -> None:
    number = _add(store, raw)
    for view in webmail.VIEWS:
        assert page.get(f"/messages/{number}?view={view}").status_code == 200
    assert page.get("/").status_code == 200


def test_a_raw_utf8_subject_is_readable_when_shown() -> None:
    assert reading.subject("Subject: ¿Qué tal?\r\n\r\n".encode()) == "¿Qué tal?"
