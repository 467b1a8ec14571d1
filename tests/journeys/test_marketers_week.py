"""Marketers in a browser, with one installation: from nothing to a conversion; a week with and without scripts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from local.mail.mailstore import Mailstore
from local.valkey import Valkey
from tests import browser, processes
from tests.databases import Ledger
from tests.journeys import installation
from tests.journeys.installation import Installation
from tests.journeys.marketer import Marketer
from tests.journeys.signing_up import Author, Reader, message
from tests.journeys.test_send import BROWSER

pytestmark = pytest.mark.timeout(300)

FILE = """Correo;Nombre;Sector;Baja
{0}1@empresa.example;Ana;{0};
{0}2@empresa.example;Luis;{0};
{0}3@empresa.example;Eva Baja;{0};sí
"""


@pytest.fixture(scope="module")
def installed(databases: Ledger, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Run one installation, whose processes take ten seconds of CPU to start; before the browser, whose event loop
    keeps that of the inbox from starting.
    """
    folder = tmp_path_factory.mktemp("installation")
    with installation.running(folder, database=databases.fresh(), broker=valkey.url) as running:
        yield running


class Worker(Marketer):
    """A marketer with a file of contacts."""

    @property
    def name(self) -> str:
        return "tiendas" if self.has_script else "talleres"

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
        self.sends_a_test(boss)
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
        self.page.get_by_label("Reason (optional)").fill("la oferta cambia")
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
        self.page.wait_for_load_state("networkidle")  # chromium loses the history while it changes the page
        self.page.go_back()
        assert not self.sees("Eva Baja")


def test_from_an_empty_installation_to_a_conversion(installed: Installation, chromium: Browser) -> None:
    url, inbox = installed.url, installed.inbox
    view = {"viewport": {"width": 360, "height": 740}, "user_agent": BROWSER}
    with (
        browser.tab(chromium, expected=["status of 409"], locale="en") as author_tab,
        browser.tab(chromium, locale="es", **view) as telephone,
        browser.tab(chromium, locale="en", java_script_enabled=False, **view) as without_scripts,
    ):
        author = Author(author_tab, url)
        author.sign_in()
        author.write_a_template(inbox)
        author.draft_the_campaign()
        author.write_the_form()
        author.launch()
        author.write_the_page()
        ana = Reader(telephone, url, "ana@feria.example")
        ana.signs_up()
        ana.confirms(inbox, "Listo", "Tab")
        author.wait_for_the_figures(Sent="1")
        ana.converts(message(inbox, ana.address, 2))
        author.look_at(ana.address)
        eve = Reader(without_scripts, url, "eve@feria.example")
        eve.signs_up_by_the_keyboard()
        eve.confirms(inbox, "Done", "Tab", "Enter")
        author.wait_for_the_figures(Sent="2", Converted="1")


def test_a_marketer_works_for_a_week_with_scripts_and_without(installed: Installation, chromium: Browser) -> None:
    for has_script in (True, False):
        _work(chromium, installed, has_script=has_script)


def _work(chromium: Browser, installed: Installation, *, has_script: bool) -> None:
    expected = ["status of 422", "status of 401"]
    with browser.tab(chromium, expected=expected, java_script_enabled=has_script, locale="en") as page:
        marketer = Worker(page, installed.url, has_script)
        marketer.sign_in()
        marketer.import_contacts()
        marketer.create()
        marketer.preview_and_test(installed.inbox)
        marketer.launch_and_watch()
        marketer.pause()
        marketer.ask_why()
        marketer.sign_out()
