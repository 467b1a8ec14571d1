"""A person signs up in chromium on a telephone and confirms from the delivered e-mail, with scripts and without."""

import email
import re
from collections.abc import Iterator
from contextlib import ExitStack
from email import policy
from html import unescape
from urllib.parse import urlsplit

import html5lib
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from sqlalchemy import text

from engine import clock
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import browser, processes
from tests.engine.forms import signups
from tests.journeys.test_send import BROWSER
from tests.web.serving import application
from worker.tasks import sending

# Signed up in this language, with scripts or without.
PEOPLE = {"es": True, "en": False}
ASKED, DONE = {"es": "Confirma tu dirección", "en": "Confirm your address"}, {"es": "Listo", "en": "Done"}


def sign_up(page: Page, address: str) -> None:
    """Fill in the form and send it, by the keyboard alone."""
    browser.press(page, "Tab")
    page.keyboard.type(address)
    browser.press(page, "Tab")
    page.keyboard.type("Ana")
    browser.press(page, "Tab", "Tab", "Space", "Tab", "Enter")


def delivered(inbox: Mailstore, address: str) -> str:
    """Return the HTML of the e-mail to this address."""
    [stored] = inbox.latest(recipient=address)
    body = email.message_from_bytes(stored.raw, policy=policy.default).get_body(("html",))
    assert body is not None
    return str(body.get_content())


def violations(page: Page) -> Iterator[str]:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    yield from (each["id"] for each in Axe().run(page).response["violations"])


def heading(page: Page) -> str:
    return str(page.locator("h1").inner_text())


def test_people_sign_up_and_confirm_by_the_keyboard(inbox: Mailstore) -> None:
    links, sources = {}, []
    with application() as (app, url), browser.started() as chromium, ExitStack() as tabs:
        with transaction() as session:
            signups.create(session)
        pages = {}
        for language, has_script in PEOPLE.items():
            view = {"viewport": {"width": 360, "height": 740}, "locale": language, "user_agent": BROWSER}
            tab = browser.tab(chromium, java_script_enabled=has_script, **view)
            pages[language] = tabs.enter_context(tab)
            pages[language].goto(f"{url}/f/guia")
        shown, first = clock.now(), pages["es"]
        processes.until(lambda: (clock.now() - shown).total_seconds() > 2.1, "a person needs so long")
        for language, page in pages.items():
            sign_up(page, f"{language}@empresa.example")
            page.wait_for_selector("h1 + p:not(:has(input))")
            assert heading(page) == ASKED[language]
        sending.deliver_transactional()
        for language, page in pages.items():
            html = delivered(inbox, f"{language}@empresa.example")
            links[language] = unescape(re.findall(r'<a [^>]*href="([^"]+)"', html)[0])
            sources.append(html)
            page.goto(links[language])
            assert urlsplit(page.url).path.startswith("/f/confirm/")
            sources.append(app.test_client().get(urlsplit(page.url).path).text)
            if PEOPLE[language]:
                assert [*violations(first)] == []
            browser.press(page, *("Tab", "Enter")[PEOPLE[language] :])  # with scripts any key confirms
            page.get_by_role("heading", name=DONE[language]).wait_for()
        for path in ("/f/guia?lang=es", "/f/guia?lang=en"):
            first.goto(url + path)
            assert [*violations(first)] == []
            sources.append(app.test_client().get(path).text)
    with transaction() as session:
        confirmed = session.execute(text("SELECT language, confirmed_by FROM form_submissions")).all()
    assert {tuple(row) for row in confirmed} == {("es", "page"), ("en", "press")}
    for source in sources:
        html5lib.HTMLParser(strict=True).parse(source)
