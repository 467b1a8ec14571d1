"""A hostile template in a real browser: its preview runs nothing, goes nowhere and asks no other server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from engine.access import accounts, bearer_tokens
from models.session import transaction
from tests import browser
from tests.conftest import environment
from tests.web.pages import visitors
from tests.web.pages.email_templates import stored
from tests.web.serving import application

HTML = """<html lang="en"><head><base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=/app/">
<script>document.title = 'taken over'; top.location = 'https://evil.example/'</script>
<style>@import 'https://evil.example/x.css'; p { background: url(https://evil.example/b.png) }</style></head>
<body onload="document.title = 'taken over'"><form action="https://evil.example/"><button>Go</button></form>
<img src="https://evil.example/p.png" onerror="document.title = 'taken over'"><iframe src="/app/"></iframe>
<a data-no-track href="javascript:document.title='taken over'">press</a>
<a href="https://evil.example/" target="_top">leave</a><p>{{ nombre }}</p></body></html>"""
# Chromium reports each thing that it blocks.
BLOCKED = ("evil.example", "sandboxed", "Content Security Policy")


@pytest.fixture
def page(ledger: str, tmp_path: Path, chromium: Browser) -> Iterator[Page]:
    """The page of the hostile template, opened by somebody who signed in."""
    folder = tmp_path / "templates" / "hostil"
    folder.mkdir(parents=True)
    for name, content in (("subject.txt", "Hola"), ("body.html", HTML), ("sample.json", '{"nombre": "Ana"}')):
        (folder / name).write_text(content)
    with environment(TEMPLATES_DIR=str(folder.parent)), application() as (_, url):
        visitors.create("lucia", "admin")
        with transaction() as session:
            [profile] = accounts.listing(session)
        cookie = bearer_tokens.issue_session(profile, now=datetime.now(UTC))
        with browser.tab(chromium, expected=BLOCKED) as opened:
            opened.context.add_cookies([{"name": "cadencia", "value": cookie, "url": url}])
            opened.goto(f"{url}/app/templates/hostil")
            yield opened


def test_its_preview_is_harmless(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    address = page.url
    frames = [frame for frame in page.frames if frame.url.endswith("/body")]
    assert len(frames) == 2
    for frame in frames:
        assert frame.get_by_text("Ana").count() == 1
        for words in ("press", "leave", "Go"):
            frame.get_by_text(words).click(force=True)
        assert frame.evaluate("document.title") == "" and frame.url.endswith("/body")
    assert page.url == address and not [url for url in requests if "evil.example" in url]
    assert len(page.context.pages) == 1


def test_nor_is_its_frame_harmful_in_a_tab_of_its_own(page: Page) -> None:
    page.goto(f"{page.url}/body")
    address = page.url
    for words in ("press", "Go"):
        page.get_by_text(words).click(force=True)
    assert page.evaluate("document.title") == "" and page.url == address
    assert page.evaluate("origin") == "null"


def test_sources_typed_into_the_editor_are_shown_and_run_nothing(page: Page) -> None:
    stored.create()
    page.goto(page.url.replace("/hostil", "/carta/edit"))
    length = page.evaluate("history.length")
    frame = page.frame_locator("#live")
    page.locator("#body").fill(HTML)
    for words in ("press", "leave", "Go"):
        frame.get_by_text(words).click(force=True)
    page.locator("#body").fill(f"{HTML}<p>second</p>")
    frame.get_by_text("second").wait_for()
    assert "taken over" not in page.title() and page.url.endswith("/edit") and len(page.context.pages) == 1
    assert page.evaluate("history.length") == length
    page.locator("#body").fill("<p>\n{% if %}</p>")
    page.locator("#check [data-line='2']").click()
    assert page.evaluate("getSelection().toString()") == "{% if %}</p>"
    assert frame.get_by_text("second").count() == 1  # the last state without faults
