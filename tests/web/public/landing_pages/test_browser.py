"""Landing pages in a browser: accessible in every design, language and theme; the form is sent without scripts."""

from collections.abc import Iterator
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from sqlalchemy import text

from engine import clock
from engine.landing import store
from models.session import transaction
from tests import browser
from tests.conftest import environment
from tests.databases import Ledger
from tests.engine.forms import signups
from tests.engine.landing import drafts
from tests.engine.landing.drafts import both
from tests.web.serving import application
from web.public.landing_pages import shelf

LONG = {"kind": "text", "title": both("Sinespacios" * 12), "text": both("x" * 300 + " مرحبا " + "🎉" * 40)}
FORM = {"kind": "form", "form": "guia", "title": both("Pídala", "Ask for it")}


@pytest.fixture(scope="module")
def url(databases: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the application with a page in each design."""
    folder = str(tmp_path_factory.mktemp("landing"))
    own = {"DATABASE_URL": databases.fresh(), "LOG_FILE": f"{folder}/log", "SPOOL_DIR": f"{folder}/spool"}
    with environment(**own), application() as (app, address):
        with transaction() as session:
            signups.create(session)
            blocks = [block for block in drafts.blocks() if block["kind"] != "picture"]
            for design in ("calm", "bold"):
                store.create(
                    session, design, drafts.content(blocks=[*blocks, LONG, FORM], design=design),
                    change=store.Change(), now=clock.now(),
                )  # fmt: skip
                store.publish(session, design, None, now=clock.now())
        yield address
        shelf.of(app).visits.flush()


def test_every_design_is_accessible_in_each_language_and_theme(url: str, chromium: Browser) -> None:
    faults = []
    for (language, theme, width), design in product((("es", "light", 1280), ("en", "dark", 360)), ("calm", "bold")):
        view = {"viewport": {"width": width, "height": 800}, "locale": language, "color_scheme": theme}
        with browser.tab(chromium, **view) as page:
            page.goto(f"{url}/p/{design}?utm_source=blog")
            found = Axe().run(page).response["violations"]
            faults += [f"{design} {language} {theme}: {each['id']} {each['nodes'][0]['html'][:200]}" for each in found]
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            faults += [f"{design} {width}: {wide} px too wide"] if wide > 0 else []
    assert faults == [], "\n".join(faults)


def test_a_visitor_signs_up_by_the_keyboard_without_scripts(url: str, chromium: Browser) -> None:
    with transaction() as session:
        session.execute(text("DELETE FROM form_submissions"))
    with browser.tab(chromium, java_script_enabled=False, locale="es") as page:
        page.goto(f"{url}/p/bold?utm_source=blog")
        page.get_by_role("link", name="Quiero la guía").press("Enter")
        page.get_by_label("Correo electrónico").fill("ana@empresa.example")
        page.get_by_label("Nombre").fill("Ana")
        page.get_by_label("Acepto recibir correos.").press("Space")
        page.wait_for_timeout(2_100)  # nobody fills in a form within two seconds
        page.get_by_role("button", name="Enviar").press("Enter")
        page.get_by_role("heading", name="Confirma tu dirección").wait_for()
    with transaction() as session:
        assert session.scalars(text("SELECT source FROM form_submissions")).all() == ["blog"]
