"""The simulated recipients of the demo: the order in which they read."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from local.demo.recipients import Recipients
from local.mail.mailstore import Mailstore

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BURST = 60
INDIFFERENT = "quieta@a.example"  # chance lets this person open no e-mail of the subject below


class Site(ThreadingHTTPServer):
    """A web server that redirects clicks and keeps the paths of all requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.paths: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Page(BaseHTTPRequestHandler):
    """The answer to one request."""

    server: Site

    def do_GET(self) -> None:
        """Redirect a click to a page; answer everything else."""
        self.server.paths.append(self.path)
        self.send_response(303 if self.path.startswith("/c/") else 204)
        if self.path.startswith("/c/"):
            self.send_header("Location", f"{self.server.url}/f/confirm{self.path}")
        self.end_headers()

    do_POST = do_GET  # noqa: N815  # the name that the library calls it by

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    """A running web server."""
    with Site() as server:
        Thread(target=server.serve_forever, args=[0.01]).start()
        yield server
        server.shutdown()


def mail(url: str, number: int, *, is_request: bool = False) -> bytes:
    """Return an e-mail with a pixel and a link; a request to confirm a sign-up has no List-Unsubscribe."""
    message = EmailMessage()
    message["Subject"], message["Message-ID"] = "Seguimiento", f"<{number:032x}@cadencia.example>"
    if not is_request:
        message["List-Unsubscribe"] = f"<{url}/u/{number}>"
    links = "".join(f'<a href="{url}/{kind}/{number}">.</a>' for kind in "cu")
    message.set_content("Hola")
    message.add_alternative(f'<html>{links}<img src="{url}/o/{number}"></html>', subtype="html")
    return message.as_bytes(policy=SMTP)


def test_a_request_to_confirm_is_read_before_a_burst_that_arrived_earlier(tmp_path: Path, site: Site) -> None:
    """On the demo's clock a sign-up is valid for seven seconds, and a burst may take longer to read."""
    store = Mailstore(tmp_path / "inbox")
    people = Recipients(store, smtp_port=0, api=site.url)
    for number in range(1, BURST + 1):
        store.add(mail(site.url, number), sender="", recipients=[INDIFFERENT], received_at=NOON)
    read = people.read()
    assert 0 < read < BURST, "what arrives during a burst is seen before its end"
    store.add(mail(site.url, 0, is_request=True), sender="", recipients=["nueva@a.example"], received_at=NOON)
    site.paths.clear()
    read += people.read()
    assert site.paths[:3] == ["/c/0", "/f/confirm/c/0", "/f/confirm/c/0"]
    while more := people.read():
        read += more
    assert read == people.emails == store.last == BURST + 1
