"""The landing page's script and the reader's pages in a real browser, chromium; skipped where there is none."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.serving import make_server

import web
from engine import clock
from local import ports
from models import ids
from models.session import transaction
from tests import processes, sends
from tests.conftest import environment, settled
from tests.web.public import browser
from tests.web.public.browser import Page
from web import process


@contextmanager
def served(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def landing_page(script: str, on: str) -> Iterator[str]:
    """A site of somebody's own, each of whose pages loads the script and has a form; its origin."""
    page = (
        f'<body><script src="{script}" data-on="{on}"></script><form action="/gracias"><button>Enviar</button></form>'
    )

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    with served(server):
        yield f"http://localhost:{server.server_port}"


@contextmanager
def application(port: int = 0, **settings: str) -> Iterator[tuple[Flask, str]]:
    """The application on a port of its own, and its URL."""
    port = port or ports.free()
    url = f"http://127.0.0.1:{port}"
    with environment(PUBLIC_URL=url, **settings):
        app = web.create_app()
        with served(make_server("127.0.0.1", port, app, threaded=True)):
            yield app, url


def conversions() -> int:
    with transaction() as session:
        return session.scalar(text("SELECT count(*) FROM events WHERE event_type = 'converted'")) or 0


def mail() -> UUID:
    with transaction() as session:
        (email_id,) = sends.queue(session, now=clock.now())
    return email_id


@contextmanager
def arrived(page: Page, on: str) -> Iterator[tuple[UUID, Flask, str]]:
    """A reader who clicked on a link to a landing page: the mail, the application, the page's origin."""
    port = ports.free()
    with (
        landing_page(f"http://127.0.0.1:{port}/track.js", on) as origin,
        application(port, CORS_ORIGINS=origin) as (app, url),
    ):
        email_id = mail()
        page.open(f"{url}/c/{process.of(app).signer.clicked(email_id, 0, f'{origin}/oferta?a=1#arriba')}")
        yield email_id, app, origin


@pytest.fixture
def page(ledger: str, tmp_path: Path) -> Iterator[Page]:
    with browser.opened(tmp_path) as opened:
        yield opened


def test_a_click_leads_to_a_page_that_reports_the_conversion(page: Page) -> None:
    with arrived(page, "load") as (email_id, _, origin):
        processes.until(conversions, "the conversion is stored")
        assert page.read("location.href + document.cookie") == f"{origin}/oferta?a=1#arriba"
        assert ids.public(email_id) not in page.read("document.documentElement.outerHTML")
        page.open(f"{origin}/otra")
        page.read("cadencia.converted()")
    assert conversions() == 1


def test_a_form_that_is_sent_reports_the_conversion_and_leaves_the_page(page: Page) -> None:
    with arrived(page, "submit") as (_, _app, _origin):
        assert conversions() == 0
        page.press("Tab", "Enter")
        page.until("location.pathname == '/gracias'")
        processes.until(conversions, "the conversion is stored")
        page.read("window.isOld = true")
        page.press("Tab", "Enter")
        page.until("!window.isOld && document.readyState == 'complete'")
    assert conversions() == 1


def test_a_report_that_was_refused_is_made_again_with_its_moment(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    """Neither database nor disk: 503. The page tries again; the next one does so for a page that was left."""
    with arrived(page, "submit") as (_, app, _origin):
        spool = process.of(app).settings.spool_dir
        settled()
        spool.rmdir()
        spool.write_text("no folder")
        with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
            page.press("Tab", "Enter")
            page.until("location.pathname == '/gracias'")
            processes.until(lambda: "spool_write_failed" in caplog.text, "the report was refused")
            told = page.read("sessionStorage.cadenciaSays")
        processes.until(conversions, "the conversion is stored")
        page.until("sessionStorage.cadenciaSays == ''")
    with transaction() as session:
        at = session.scalar(text("SELECT timestamp FROM events WHERE event_type = 'converted'"))
    assert json.loads(told)["timestamp"] == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def consents() -> tuple[list[str], bool]:
    """Why the reader is suppressed, and whether there is a pause."""
    with transaction() as session:
        reasons = list(session.scalars(text("SELECT reason FROM suppressions")))
        return reasons, bool(session.scalar(text("SELECT paused_until > now() FROM contacts")))


@pytest.mark.parametrize(("locale", "done", "undone"), [("es", "Baja confirmada", "Baja anulada"),
                                                        ("en", "Unsubscribed", "Unsubscribing undone")])  # fmt: skip
def test_a_reader_unsubscribes_and_comes_back_by_the_keyboard_alone(
    page: Page, locale: str, done: str, undone: str
) -> None:
    with application() as (app, url):
        own = f"{url}/u/{process.of(app).signer.unsubscribe(mail())}"
        with transaction() as session:
            session.execute(text("UPDATE contacts SET locale = :locale"), {"locale": locale})
        page.open(own)
        assert (page.read("document.scripts.length"), consents()) == (0, ([], False))
        page.press("Tab", "Enter")
        page.until(f"document.title == '{done}'")
        assert consents() == (["unsubscribed"], False)
        page.press("Tab", "Enter")
        page.until(f"document.title == '{undone}'")
        assert consents() == ([], False)
        page.open(f"{own}/undo")  # as whoever comes back to it does
        assert (page.read("document.forms.length"), consents()) == (2, ([], False))
        page.press("Tab", "Tab", "Enter")
        page.until(f"location.pathname.endsWith('/pause') && document.documentElement.lang == '{locale}'")
        assert consents() == ([], True)


def test_the_pages_are_dressed_and_say_what_is_in_the_focus(page: Page) -> None:
    with application() as (app, url):
        page.open(f"{url}/u/{process.of(app).signer.unsubscribe(mail())}")
        page.press("Tab")
        assert page.read("document.activeElement.innerText") == "Darme de baja"
        assert page.read("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        assert page.read("[...document.querySelectorAll('h1, main')].length") == 2
        assert page.read("document.referrer") == ""
