"""The landing page's script and the reader's page in a real browser, chromium, which is skipped where there is none."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.serving import make_server

import web
from engine import clock
from local import ports
from models import ids
from models.session import transaction
from tests import orders
from tests.conftest import environment
from web import process

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no browser is here: `make system-packages` as root installs Debian's package chromium"
SHOW = 'document.body.append(`at ${location.href} cookie "${document.cookie}"`)'


@pytest.fixture
def browse(tmp_path: Path) -> Any:
    """Opens a page and gives what it shows once it is still."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.fail(MISSING) if os.environ.get("CI") else pytest.skip(MISSING)
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]

    def shown(url: str) -> str:
        command = [
            program,
            *options,
            f"--user-data-dir={tmp_path}/browser",
            "--virtual-time-budget=3000",
            "--dump-dom",
            url,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout

    return shown


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
def landing_page(port: int, script: str) -> Iterator[None]:
    """A site of somebody's own, each of whose pages loads the script."""
    page = f'<body><script src="{script}" data-on="load"></script><script>{SHOW}</script>'.encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

    with served(ThreadingHTTPServer(("127.0.0.1", port), Page)):
        yield


@contextmanager
def application(**settings: str) -> Iterator[tuple[Flask, str]]:
    """The application on a port of its own, and its URL."""
    port = ports.free()
    url = f"http://127.0.0.1:{port}"
    with environment(PUBLIC_URL=url, **settings):
        app = web.create_app()
        with served(make_server("127.0.0.1", port, app, threaded=True)):
            yield app, url


def events() -> list[str]:
    with transaction() as session:
        return sorted(session.scalars(text("SELECT event_type FROM events")))


@pytest.mark.usefixtures("ledger")
def test_a_click_leads_to_a_page_that_reports_the_conversion(browse: Any) -> None:
    port = ports.free()
    with application(CORS_ORIGINS=f"http://localhost:{port}") as (app, url), landing_page(port, f"{url}/track.js"):
        with transaction() as session:
            (email_id,) = orders.queue(session, now=clock.now())
        click = process.of(app).signer.clicked(email_id, 0, f"http://localhost:{port}/oferta?a=1#arriba")
        shown = browse(f"{url}/c/{click}")
    assert f'at http://localhost:{port}/oferta?a=1#arriba cookie ""' in shown
    assert ids.public(email_id) not in shown
    assert "converted" in events()


@pytest.mark.usefixtures("ledger")
def test_looking_at_the_unsubscribe_page_changes_nothing(browse: Any) -> None:
    with application() as (app, url):
        with transaction() as session:
            (email_id,) = orders.queue(session, now=clock.now())
        page = f"/u/{process.of(app).signer.unsubscribe(email_id)}"
        shown = browse(url + page)
    assert f'action="{page}"' in shown and f'action="{page}/pause"' in shown
    assert "<script" not in shown and events() == []
