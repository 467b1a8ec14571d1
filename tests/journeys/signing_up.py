"""A marketer makes a template, a campaign, a form and a landing page by pages alone; readers sign up and convert."""

import email
import re
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from functools import partial
from html import unescape

from playwright.sync_api import Page

from local.mail.mailstore import Mailstore
from tests import browser, processes
from tests.journeys.marketer import Marketer

SLUG, TEMPLATE, CAMPAIGN = "guia", "bienvenida", "Bienvenida"
SUBJECT = "{{ nombre or 'Hola' }}, su guía"


def message(inbox: Mailstore, address: str, number: int) -> EmailMessage:
    """Return the mail of this number to an address, once it is there."""
    processes.until(lambda: len([*inbox.latest(recipient=address)]) >= number, f"mail {number} arrives")
    return email.message_from_bytes([*inbox.latest(recipient=address)][-number].raw, policy=policy.default)


def first_link(mail: EmailMessage) -> str:
    """Return the target of the first link."""
    body = mail.get_body(("html",))
    assert body is not None
    return unescape(re.findall(r'<a [^>]*href="([^"]+)"', body.get_content())[0])


class Author(Marketer):
    """A marketer in a new, empty installation."""

    def write_a_template(self, inbox: Mailstore) -> None:
        """Copy a folder, edit the copy beside its preview, send a test, publish."""
        self.page.goto(f"{self.url}/app/templates")
        self.click("link", "carta_es")
        self.click("link", "Copy")
        self.page.locator("[name=name]").fill(TEMPLATE)
        self.click("button", "Create and edit")
        body = self.page.locator("[name=body]")
        html = body.input_value().replace("{{ link_calendly }}", f"{self.url}/p/{SLUG}")
        body.fill(html.replace("<p>Hola{%", "<p>Buenas{%"))
        self.page.locator("[name=sample]").fill('{"nombre": "Marta", "empresa": "Estudio Ronda"}')
        self.page.locator("[name=subject]").fill(SUBJECT)
        self.waits(lambda: "Marta, su guía" in self.page.locator("#check").inner_text(), "the preview follows")
        self.page.frame_locator("#live").get_by_text("Buenas, Marta:").wait_for()
        self.click("button", "Save as version 2")
        self.click("link", "Preview and test")
        self.sends_a_test("revisora@empresa.example")
        assert message(inbox, "revisora@empresa.example", 1)["subject"] == "[Prueba] Marta, su guía"
        self.click("link", "Versions")
        self.click("link", "Publish")
        self.click("button", "Publish version 2")
        assert self.sees("published: version 2")

    def draft_the_campaign(self) -> None:
        self.page.goto(f"{self.url}/app/campaigns/new")
        self.page.get_by_label("Name", exact=True).fill(CAMPAIGN)
        self.page.locator("[name='step_1-template']").select_option(TEMPLATE)
        for time in ("opens", "closes"):
            self.page.locator(f"[name='step_1-{time}']").fill("00:00")
        for day in range(1, 8):
            self.page.locator(f"[name='step_1-weekdays'][value='{day}']").check()
        self.page.locator("[name='step_2-template']").select_option("email_2_caso")
        self.page.locator("[name='step_2-delay']").fill("3")
        self.page.locator("[name='variable-link_calendly']").fill("https://agenda.example/cita")
        self.click("button", "Save the draft")
        assert self.sees("draft")

    def write_the_form(self) -> None:
        self.page.goto(f"{self.url}/app/forms/new")
        texts = {"slug": SLUG, "title_es": "La guía", "title_en": "The guide"}
        texts |= {"consent_es": "Acepto recibir correos.", "consent_en": "I agree to get e-mails."}
        for name, text in texts.items():
            self.page.locator(f"[name={name}]").fill(text)
        self.page.locator("[name=campaign_id]").select_option(label=CAMPAIGN)
        self.page.locator("main form button.btn-primary").click()
        assert self.sees(f"get no e-mail of the campaign {CAMPAIGN} yet")

    def launch(self) -> None:
        """Launch the campaign from the page of its form: nobody is in its audience."""
        self.click("link", "Launch it")
        self.click("link", "Launch")
        assert self.sees("Its audience has no contact now.") and self.sees(SLUG)
        self.click("button", "Launch")
        assert self.sees("running")

    def write_the_page(self) -> None:
        self.page.goto(f"{self.url}/app/pages/new")
        for name, text in {"slug": SLUG, "title.es": "Más respuestas", "title.en": "More replies"}.items():
            self.page.locator(f"[name='{name}']").fill(text)
        self.click("button", "Create as a draft")
        self.page.locator("#kind").select_option("form")
        self.click("button", "Write it")
        self.page.locator("[name=form]").select_option(SLUG)
        self.click("button", "Save the draft")
        self.page.locator("main button.btn-primary").click()
        self.click("button", "Publish anyway")  # with the other texts of the sample
        self.page.get_by_role("link", name=f"{self.url}/p/{SLUG}").wait_for()

    def wait_for_the_figures(self, **cells: str) -> None:
        """Wait until the funnel of the campaign has these figures, by themselves."""
        self.page.goto(f"{self.url}/app/campaigns")
        self.click("link", CAMPAIGN)
        for label, figure in cells.items():
            self.waits(partial(self._shows, label, figure), f"{label}: {figure}")

    def _shows(self, label: str, figure: str) -> bool:
        return self.page.locator(f"td[data-label={label}]").first.inner_text().split()[0] == figure

    def look_at(self, address: str) -> None:
        """Open the page of the contact: it converted, so its sequence stopped."""
        self.page.goto(f"{self.url}/app/contacts")
        self.page.get_by_label("Name, company or whole address").fill(address)
        self.click("button", "Search")
        self.waits(lambda: self.sees("Sequence stopped"), "the sequence is stopped", reloads=True)
        assert self.sees("the contact converted") and self.sees("Acepto recibir correos.")


@dataclass
class Reader:
    """A person with a telephone."""

    page: Page
    url: str
    address: str

    def signs_up(self) -> None:
        """Fill in the form of the landing page and send it."""
        self.page.goto(f"{self.url}/p/{SLUG}?utm_source=feria")
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        self._fills_in("Ana")
        self.page.locator("form.fields button").click()
        self.page.get_by_role("heading", name="Confirma tu dirección").wait_for()

    def signs_up_by_the_keyboard(self) -> None:
        """Fill in the form's own page, and send it with Enter."""
        self.page.goto(f"{self.url}/f/{SLUG}")
        browser.press(self.page, "Tab")
        self.page.keyboard.type(self.address)
        browser.press(self.page, "Tab")
        self.page.keyboard.type("Eve")
        browser.press(self.page, "Tab", "Space")
        self.page.wait_for_timeout(2_100)  # nobody fills in a form within two seconds
        browser.press(self.page, "Tab", "Enter")
        self.page.get_by_role("heading", name="Confirm your address").wait_for()

    def confirms(self, inbox: Mailstore, done: str, *keys: str) -> None:
        """Open the link in the mail and press these keys; with scripts, the first key confirms."""
        self.page.add_init_script("Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => false})")
        self.page.goto(first_link(message(inbox, self.address, 1)))
        question = self.page.locator("h1").inner_text()
        self.page.evaluate("['pointermove', 'keydown'].forEach(kind => dispatchEvent(new Event(kind)))")  # simulated
        assert "/f/confirm/" in self.page.url and self.page.locator("h1").inner_text() == question
        browser.press(self.page, *keys)
        self.page.get_by_role("heading", name=done).wait_for()

    def converts(self, mail: EmailMessage) -> None:
        """Follow the link of the campaign's e-mail to the page, which greets by name, and send its form."""
        assert mail["subject"] == "Ana, su guía"
        self.page.goto(first_link(mail))
        assert self.page.locator(".greeting").inner_text() == "Hola, Ana:"
        browser.until(self.page, f"location.href == '{self.url}/p/{SLUG}'")  # the e-mail's id is out of sight
        self._fills_in("Ana")
        self.page.locator("form.fields button").click()
        self.page.get_by_role("heading", name="Confirma tu dirección").wait_for()

    def _fills_in(self, name: str) -> None:
        self.page.get_by_label("Correo electrónico").fill(self.address)
        self.page.get_by_label("Nombre").fill(name)
        self.page.get_by_label("Acepto recibir correos.").check()
        self.page.wait_for_timeout(2_100)  # nobody fills in a form within two seconds
