"""Every page of readers and visitors: valid HTML, accessible, small, within its policy, no wider than the screen.

PAGES=long shows each page in a browser in every language, theme and width. The usual run parses them all, and shows the
first ten: some in light Spanish at 1,280 pixels, the others in dark English at 360.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import html5lib
import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, Route
from sqlalchemy import text

from engine import clock
from engine.assets import assets
from engine.forms import forms
from engine.forms.signer import Signer
from engine.landing import store
from models.session import transaction
from tests import browser, sends
from tests.conftest import environment, settled
from tests.databases import Ledger
from tests.engine.assets import samples as gifs
from tests.engine.forms import signups
from tests.engine.landing import drafts
from tests.engine.landing.drafts import both
from tests.web.serving import application
from web import process
from web.public.landing_pages import page_cache

PAGE_BYTES_MAX = 40_000
EVERY = [*product(("es", "en"), ("light", "dark"), (1280, 360))]
PAIRED = [("es", "light", 1280), ("en", "dark", 360)]
_SHOWN = 10
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LONG = {"kind": "text", "title": both("Sinespacios" * 12), "text": both("x" * 300 + " مرحبا " + "🎉" * 40)}
FORM = {"kind": "form", "form": "guia", "title": both("Pídala", "Ask for it")}
# Answers to odd requests that a browser's console mentions.
REFUSALS = ("status of 404", "status of 422")


@pytest.fixture(scope="module")
def site(databases: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, str]]:
    """The application and its address, with a form and a landing page in each design."""
    folder = str(tmp_path_factory.mktemp("site"))
    own = {"DATABASE_URL": databases.fresh(), "LOG_FILE": f"{folder}/log", "SPOOL_DIR": f"{folder}/spool"}
    with environment(**own), application() as (app, url):
        with transaction() as session:
            signups.create(session, consent=both("Acepto recibir correos. " * 20, "I agree to get e-mails. " * 20))
            picture = assets.add(session, gifs.GIF, "feria.gif", account_id=None, now=clock.now())
            blocks = [{**each, "picture": picture.path} if each["kind"] == "picture" else each
                      for each in drafts.blocks()]  # fmt: skip
            for design in ("calm", "bold"):
                content = drafts.content(blocks=[*blocks, LONG, FORM], design=design)
                store.create(session, design, content, change=store.Change(), now=clock.now())
                store.publish(session, design, None, now=clock.now())
        yield app, url
        page_cache.of(app).visits.flush()
        settled()


def _filled(app: Flask, language: str, **changes: str) -> dict[str, str]:
    with transaction() as session:
        form_id = forms.by_slug(session, "guia").id
    stamp = Signer(process.of(app).settings.tracking_ring).stamp(form_id, datetime.now(UTC) - timedelta(minutes=1))
    values = {"email": f"{language}@empresa.example", "first_name": "Ana", "size": "", "consent": "1", "website": ""}
    return {**values, "lang": language, "stamp": stamp, **changes}


def _email(number: int, language: str) -> UUID:
    """Return an e-mail to a contact with this language."""
    with transaction() as session:
        email_id = sends.queue(session, number + 1, now=clock.now())[number]
        session.execute(text("UPDATE contacts SET locale = :language WHERE id = (SELECT contact_id FROM emails "
                             "WHERE id = :id)"), {"language": language, "id": email_id})  # fmt: skip
    return email_id


def _confirmation(app: Flask, language: str) -> str:
    with transaction() as session:
        pending = text("SELECT id FROM form_submissions WHERE language = :language")
        submission_id = session.execute(pending, {"language": language}).scalar_one()
    return f"/f/confirm/{Signer(process.of(app).settings.tracking_ring).confirmation(submission_id)}"


def _responses(app: Flask, language: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the response of each page, in this language."""
    client = app.test_client()
    headers = {"Accept-Language": language, "User-Agent": BROWSER}

    def asked(path: str, data: dict[str, str] | None = None) -> Any:
        return client.get(path, headers=headers) if data is None else client.post(path, data=data, headers=headers)

    wrong = _filled(app, language, email="ana@", first_name="", consent="", size="11-50")
    yield "calm", asked("/p/calm?utm_source=blog")
    yield "bold", asked("/p/bold?utm_source=blog")
    yield "calm with faults", asked("/p/calm", wrong)
    yield "bold with faults", asked("/p/bold", wrong)
    yield "form", asked("/f/guia?utm_source=blog")
    yield "form with faults", asked("/f/guia", wrong)
    yield "thanks", asked("/f/guia", _filled(app, language))
    confirmation = _confirmation(app, language)
    yield "confirm", asked(confirmation)
    own = f"/u/{process.of(app).signer.unsubscribe(_email(language == 'en', language))}"
    yield "unsubscribe", asked(own)
    yield "unknown", asked("/f/confirm/otro")
    yield "no form", asked("/f/otro")
    yield "no page", asked("/p/otra")
    yield "confirmed", asked(confirmation, {"by": "press"})
    yield "confirmed before", asked(confirmation)
    for name, path in (("unsubscribed", own), ("undone", f"{own}/undo"), ("paused", f"{own}/pause")):
        yield name, asked(path, {})
    yield "resumed", asked(f"{own}/resume", {})
    yield "test", asked("/u/test")
    yield "home", asked("/")
    yield "nothing here", asked("/wp-login.php")


@pytest.fixture(scope="module")
def pages(site: tuple[Flask, str]) -> dict[tuple[str, str], Any]:
    """The response of each page by language and name."""
    return {(language, name): response for language in ("es", "en") for name, response in _responses(site[0], language)}


def test_every_page_is_valid_small_and_in_its_language(pages: dict[tuple[str, str], Any]) -> None:
    headings = {re.findall("<h1[^>]*>(.*?)</h1>", response.text)[0] for response in pages.values()}
    assert len(headings) >= 2 * 14
    for (language, name), response in pages.items():
        assert response.status_code in (200, 404, 422), name
        assert f'<html lang="{language}">' in response.text and response.text.count("<h1") == 1, (language, name)
        assert len(response.data) < PAGE_BYTES_MAX and "<style" not in response.text, name
        assert "default-src 'none'" in response.headers["Content-Security-Policy"], name
        html5lib.HTMLParser(strict=True).parse(response.text)


@pytest.mark.timeout(600)
def test_every_page_is_accessible_and_fits_its_screen(
    site: tuple[Flask, str], pages: dict[tuple[str, str], Any], chromium: Browser
) -> None:
    faults: list[str] = []
    is_long = os.environ.get("PAGES") == "long"
    for number, (language, theme, width) in enumerate(EVERY if is_long else PAIRED):
        shown = [(name, response) for (other, name), response in pages.items() if other == language]
        view = {"viewport": {"width": width, "height": 800}, "locale": language, "color_scheme": theme}
        with browser.tab(chromium, expected=REFUSALS, **view) as page:
            for name, response in shown if is_long else shown[number:_SHOWN:2]:
                _show(page, f"{site[1]}/shown", response)
                faults += [f"{language} {theme} {width} {name}: {fault}" for fault in _faults(page)]
    assert faults == [], "\n".join(faults)


def _show(page: Page, url: str, response: Any) -> None:
    """Open this response, with its headers, at an address of the application, from which its style sheet comes."""

    def fulfil(route: Route) -> None:
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=response.data)

    page.route(url, fulfil)
    page.goto(url)
    page.unroute(url)


def _faults(page: Page) -> Iterator[str]:
    for violation in Axe().run(page).response["violations"]:
        yield f"{violation['id']} ({violation['help']}): {violation['nodes'][0]['html'][:160]}"
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        yield f"{wide} px too wide"
