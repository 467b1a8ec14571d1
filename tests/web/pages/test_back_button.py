"""Signing out in a real browser: the back button shows nothing of the session."""

from playwright.sync_api import Browser

from tests import browser
from tests.web.pages import visitors
from tests.web.serving import application


def test_after_signing_out_the_back_button_leads_to_sign_in(ledger: str, chromium: Browser) -> None:
    visitors.create("lucia", "reports")
    with application() as (_, url), browser.tab(chromium, locale="es") as page:
        page.goto(f"{url}/app/account")
        page.fill("#account", "lucia")
        page.fill("#password", visitors.PASSWORD)
        page.click("main button")
        page.wait_for_url(f"{url}/app/account")
        page.goto(f"{url}/app/campaigns")
        page.click("header button")
        page.wait_for_url(f"{url}/app/sign-in")
        for _ in range(2):
            page.go_back()
            assert "/app/sign-in" in page.url and "lucia" not in page.inner_text("body")
