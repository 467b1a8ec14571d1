"""The week of a marketer in a browser, with scripts and without: import, preview, launch, watch, pause, ask why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from local import ports
from local.mail.mailstore import Mailstore
from tests import browser, processes
from tests.conftest import environment
from tests.web.pages import visitors

FILE = """Correo;Nombre;Sector;Baja
{0}1@empresa.example;Ana;{0};
{0}2@empresa.example;Luis;{0};
{0}3@empresa.example;Eva Baja;{0};sí
"""


@pytest.fixture
def url(broker: str, inbox: Mailstore, tmp_path: Path) -> Iterator[str]:
    """A whole installation: web server, workers for every queue, beat."""
    port = ports.free()
    with environment(PUBLIC_URL=f"http://127.0.0.1:{port}"), processes.running(tmp_path / "processes.log") as started:
        visitors.create("lucia", "admin")
        for queues in ("transactional", "campaign", "events,imports,sequence"):
            started.worker(queues)
        started.beat()
        started.web(port)
        yield f"http://127.0.0.1:{port}"


@dataclass
class Marketer:
    """A person at a browser."""

    page: Page
    url: str
    has_script: bool

    @property
    def name(self) -> str:
        return "tiendas" if self.has_script else "talleres"

    def click(self, role: str, name: str) -> None:
        self.page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]  # one of its names

    def sees(self, text: str) -> bool:
        return text in self.page.locator("main").inner_text()

    def waits(self, holds: Callable[[], bool], claim: str) -> None:
        """Wait until the page shows it: by itself with scripts, after loading it again without."""

        def shows() -> bool:
            if not self.has_script:
                self.page.reload()
            return holds()

        processes.until(shows, claim, every_s=0.2)

    def sign_in(self) -> None:
        self.page.goto(f"{self.url}/app/contacts")
        self.page.get_by_label("Account").fill("lucia")
        self.page.get_by_label("Password").fill(visitors.PASSWORD)
        self.click("button", "Sign in")
        assert self.page.url == f"{self.url}/app/contacts"

    def import_contacts(self) -> None:
        self.page.goto(f"{self.url}/app/contacts/import")
        content = FILE.format(self.name).encode()
        self.page.locator("input[type=file]").set_input_files(
            {"name": "feria.csv", "mimeType": "text/csv", "buffer": content}
        )
        self.page.locator("main form button").first.click()
        assert self.sees("Eva Baja") and self.sees("gets no e-mail")
        self.click("button", "Import")
        self.waits(lambda: self.sees("See the contacts"), "the import is complete")

    def create(self) -> None:
        self.page.goto(f"{self.url}/app/campaigns/new")
        self.page.get_by_label("Name", exact=True).fill(self.name)
        self.page.locator("[name='step_1-template']").select_option("email_1_roi")
        self.page.locator("[name='step_2-template']").select_option("email_2_caso")
        self.page.locator("[name='step_2-delay']").fill("3")
        self.page.locator("[name='industry-0']").fill(self.name)
        variable = self.page.locator("[name='variable-link_calendly']")
        if not variable.count():
            self.click("button", "Check")
        variable.fill("https://agenda.example/cita")
        self.click("button", "Save the draft")
        assert self.sees("draft") and self.sees("Launch")

    def preview_and_test(self, inbox: Mailstore) -> None:
        self.page.goto(f"{self.url}/app/templates")
        self.click("link", "email_1_roi")
        assert self.page.frame_locator("iframe").first.locator("body").inner_text()
        boss = "jefa@empresa.example"
        before = len([*inbox.latest(recipient=boss)])
        field = self.page.locator("input[name=to]")
        field.fill(boss)
        field.press("Enter")  # a busy chromium loses a click beside frames, which other processes draw
        self.page.wait_for_url("**test=**")
        processes.until(lambda: len([*inbox.latest(recipient=boss)]) == before + 1, "the test arrives")

    def launch_and_watch(self) -> None:
        self.page.goto(f"{self.url}/app/campaigns")
        self.click("link", self.name)
        self.click("link", "Launch")
        if self.page.locator("[name=starts_now]").count():  # it is night, or a Sunday
            self.page.locator("[name=starts_now]").check()
        self.click("button", "Launch")
        if self.has_script:
            self.page.evaluate("window.isTheSamePage = true")
        sent = self.page.locator("td[data-label=Sent]").first
        self.waits(lambda: sent.inner_text() == "2", "both e-mails are counted")
        assert not self.has_script or self.page.evaluate("window.isTheSamePage")

    def pause(self) -> None:
        self.click("link", "Pause")
        self.click("button", "Pause")  # without a reason
        self.page.get_by_label("Reason").fill("la oferta cambia")
        self.click("button", "Pause")
        assert self.sees("paused") and self.sees("la oferta cambia")

    def ask_why(self) -> None:
        self.page.goto(f"{self.url}/app/contacts")
        self.page.get_by_label("Name, company or whole address").fill(f"{self.name}3@empresa.example")
        self.click("button", "Search")
        assert self.sees("Eva Baja") and self.sees("the contact unsubscribed")
        assert "@" not in self.page.url

    def sign_out(self) -> None:
        self.click("button", "Sign out")
        assert self.page.url.endswith("/app/sign-in")
        self.page.wait_for_load_state("networkidle")  # chromium forgets the way back while it changes the page
        self.page.go_back()
        assert not self.sees("Eva Baja")


@pytest.mark.timeout(300)
def test_a_marketer_works_for_a_week_with_scripts_and_without(url: str, inbox: Mailstore) -> None:
    with browser.started() as chromium:  # after the inbox, whose event loop cannot start beside the browser's
        for has_script in (True, False):
            _work(chromium, url, inbox, has_script=has_script)


def _work(chromium: Browser, url: str, inbox: Mailstore, *, has_script: bool) -> None:
    expected = ["status of 422", "status of 401"]
    with browser.tab(chromium, expected=expected, java_script_enabled=has_script, locale="en") as page:
        marketer = Marketer(page, url, has_script)
        marketer.sign_in()
        marketer.import_contacts()
        marketer.create()
        marketer.preview_and_test(inbox)
        marketer.launch_and_watch()
        marketer.pause()
        marketer.ask_why()
        marketer.sign_out()
