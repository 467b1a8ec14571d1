"""A marketer at a browser, who acts for a test as people do on pages."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests import processes
from tests.web.pages import visitors

ACCOUNT = "lucia"


@dataclass
class Marketer:
    """A person at a browser whose pages are in English."""

    page: Page
    url: str
    has_script: bool = True

    def click(self, role: str, name: str) -> None:
        self.page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]  # one of its names

    def sees(self, text: str) -> bool:
        return text in self.page.locator("main").inner_text()

    def waits(self, holds: Callable[[], bool], claim: str, *, reloads: bool = False) -> None:
        """Wait until the page shows it: by itself with scripts, after loading it again without."""

        def shows() -> bool:
            if reloads or not self.has_script:
                self.page.reload()
            return holds()

        processes.until(shows, claim, every_s=0.2)

    def sign_in(self) -> None:
        self.page.goto(f"{self.url}/app/contacts")
        self.page.get_by_label("Account").fill(ACCOUNT)
        self.page.get_by_label("Password").fill(visitors.PASSWORD)
        self.click("button", "Sign in")
        assert self.page.url == f"{self.url}/app/contacts"

    def sends_a_test(self, address: str) -> None:
        """Send a test of the template whose page is open."""
        field = self.page.locator("input[name=to]")
        field.fill(address)
        field.press("Enter")  # a busy chromium loses a click beside frames, which other processes draw
        self.page.wait_for_url("**test=**")
