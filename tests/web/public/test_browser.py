"""The landing page's script and the public pages in chromium; skipped if it is not installed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from engine import clock
from local import ports
from models import ids
from models.session import transaction
from tests import browser, processes, sends
from tests.conftest import environment, settled
from tests.web.serving import application, served
from web import process


@contextmanager
def landing_page(script: str, on: str) -> Iterator[str]:
    """Serve a site whose pages load the script and have a form; yield its origin."""
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


def conversions() -> int:
    with transaction() as session:
        return session.scalar(text("SELECT count(*) FROM events WHERE event_type = 'converted'")) or 0


def mail() -> UUID:
    with transaction() as session:
        (email_id,) = sends.queue(session, now=clock.now())
    return email_id


@contextmanager
def arrived(page: Page, on: str) -> Iterator[tuple[UUID, Flask, str]]:
    """A click on a link to a landing page: the e-mail, the application, the origin of the page."""
    port = ports.free()
    with (
        landing_page(f"http://127.0.0.1:{port}/track.js", on) as origin,
        application(port, CORS_ORIGINS=origin) as (app, url),
    ):
        email_id = mail()
        page.goto(f"{url}/c/{process.of(app).signer.clicked(email_id, 0, f'{origin}/oferta?a=1#arriba')}")
        yield email_id, app, origin


@pytest.fixture
def page(ledger: str, chromium: Browser) -> Iterator[Page]:
    with browser.tab(chromium, expected=["503"]) as opened:  # of the report that is refused
        yield opened


def test_a_click_leads_to_a_page_that_reports_the_conversion(page: Page) -> None:
    with arrived(page, "load") as (email_id, _, origin):
        processes.until(conversions, "the conversion is stored")
        assert page.evaluate("location.href + document.cookie") == f"{origin}/oferta?a=1#arriba"
        assert ids.public(email_id) not in page.evaluate("document.documentElement.outerHTML")
        page.goto(f"{origin}/otra")
        page.evaluate("cadencia.converted()")
    assert conversions() == 1


def test_submitting_a_form_reports_the_conversion(page: Page) -> None:
    with arrived(page, "submit") as (_, _app, _origin):
        assert conversions() == 0
        browser.press(page, "Tab", "Enter")
        browser.until(page, "location.pathname == '/gracias'")
        processes.until(conversions, "the conversion is stored")
        page.evaluate("window.isOld = true")
        browser.press(page, "Tab", "Enter")
        browser.until(page, "!window.isOld && document.readyState == 'complete'")
    assert conversions() == 1


def test_a_refused_report_is_repeated_with_its_timestamp(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    """Without database and disk the answer is 503.

    The page tries again; the next page repeats the report of a page that was left.
    """
    with arrived(page, "submit") as (_, app, _origin):
        spool = process.of(app).settings.spool_dir
        settled()
        spool.rmdir()
        spool.write_text("no folder")
        with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
            browser.press(page, "Tab", "Enter")
            browser.until(page, "location.pathname == '/gracias'")
            processes.until(lambda: "spool_write_failed" in caplog.text, "the report was refused")
            stored = page.evaluate("sessionStorage.cadenciaSays")
        processes.until(conversions, "the conversion is stored")
        browser.until(page, "sessionStorage.cadenciaSays == ''")
    with transaction() as session:
        at = session.scalar(text("SELECT timestamp FROM events WHERE event_type = 'converted'"))
    assert json.loads(stored)["timestamp"] == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def consents() -> tuple[list[str], bool]:
    """Return the reasons of suppressions, and True if there is a pause."""
    with transaction() as session:
        reasons = list(session.scalars(text("SELECT reason FROM suppressions")))
        return reasons, bool(session.scalar(text("SELECT paused_until > now() FROM contacts")))


@pytest.mark.parametrize(("locale", "done", "undone"), [("es", "Baja confirmada", "Baja anulada"),
                                                        ("en", "Unsubscribed", "Unsubscribe undone")])  # fmt: skip
def test_a_reader_unsubscribes_and_undoes_it_with_the_keyboard(page: Page, locale: str, done: str, undone: str) -> None:
    with application() as (app, url):
        own = f"{url}/u/{process.of(app).signer.unsubscribe(mail())}"
        with transaction() as session:
            session.execute(text("UPDATE contacts SET locale = :locale"), {"locale": locale})
        page.goto(own)
        assert (page.evaluate("document.scripts.length"), consents()) == (0, ([], False))
        browser.press(page, "Tab", "Enter")
        browser.until(page, f"document.title == '{done}'")
        assert consents() == (["unsubscribed"], False)
        browser.press(page, "Tab", "Enter")
        browser.until(page, f"document.title == '{undone}'")
        assert consents() == ([], False)
        page.goto(f"{own}/undo")  # as a reader does who comes back to it
        assert (page.evaluate("document.forms.length"), consents()) == (2, ([], False))
        browser.press(page, "Tab", "Tab", "Enter")
        browser.until(page, f"location.pathname.endsWith('/pause') && document.documentElement.lang == '{locale}'")
        assert consents() == ([], True)


def test_the_pages_are_styled_and_show_the_focus(page: Page) -> None:
    with application() as (app, url):
        page.goto(f"{url}/u/{process.of(app).signer.unsubscribe(mail())}")
        browser.press(page, "Tab")
        assert page.evaluate("document.activeElement.innerText") == "Darme de baja"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        assert page.evaluate("[...document.querySelectorAll('h1, main')].length") == 2
        assert page.evaluate("document.referrer") == ""
