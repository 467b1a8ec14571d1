"""Every page below /app with a company's data: in a browser, and that reading it changes nothing.

PAGES=long checks each page in every language, theme and width. The usual run pairs them, and axe, which takes half a
second, checks every other template in light and the others in dark.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask, template_rendered
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page
from sqlalchemy import text
from werkzeug.routing import Rule

import web.pages
from engine.access import accounts, bearer_tokens
from engine.assets import assets as pictures
from engine.forms import forms
from models.session import transaction
from tests import browser, company, company_landing
from tests.conftest import environment, settled
from tests.databases import Ledger
from tests.engine.assets import samples as gifs
from tests.engine.forms import signups
from tests.web.pages import visitors
from tests.web.pages.email_templates import stored
from tests.web.serving import application
from web.pages.frame import assets

PAGE_BYTES_MAX, COLD_BYTES_MAX = 40_000, 300_000
EVERY = [*product(("es", "en"), ("light", "dark"), (1280, 360))]
PAIRED = [("es", "light", 1280), ("en", "dark", 360)]
# Tables that pages may write by GET: figures that nobody has counted yet are counted by the first page that shows them.
CACHES = {"snapshots"}
OTHERS = ("app_assets.asset", "missing_pages.missing")  # static files, and the response to every other address
REFUSALS = {404, 409, 422}  # also pages: of no page, of a step that a campaign's state forbids, of nothing chosen


@dataclass(frozen=True)
class Site:
    """The served application and the paths of its pages."""

    app: Flask
    url: str
    paths: tuple[str, ...]
    session: str

    def client(self) -> FlaskClient:
        client = self.app.test_client()
        client.set_cookie("cadencia", self.session)
        return client


@pytest.fixture(scope="module")
def site(databases: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    folders = {"RECORDER_DIR": str(folder / "recorders"), "SPOOL_DIR": str(folder / "spool")}
    with (
        environment(DATABASE_URL=databases.fresh(), LOG_FILE=str(folder / "log"), **folders, **company.ENVIRONMENT),
        application() as (app, url),
    ):
        filled = company.fill(odd=True)
        visitors.create("lucia", "admin")
        stored.create(publish=True)
        stored.save(subject="Una palabra sin espacios: " + "W" * 80, note="<b>Nota</b> " + "x" * 180)
        with transaction() as session:
            (profile,) = accounts.listing(session)
        session_token = bearer_tokens.issue_session(profile, now=datetime.now(UTC))
        signed_in = Site(app, url, (), session_token)
        samples = _samples(filled) | {"import_id": [visitors.upload(signed_in.client())]} | _form_and_picture()
        yield replace(signed_in, paths=tuple(_paths(app, samples)))
        settled()


def _accounts() -> list[UUID]:
    with transaction() as session:
        return [account.id for account in accounts.listing(session)]


def _samples(filled: company.Company) -> dict[str, list[Any]]:
    """Return values of the parameters in the paths of pages."""
    return {
        "campaign_id": [filled.running, filled.draft, filled.paused],
        "contact_id": [filled.contact, *filled.odd],
        "step": [1],
        "fact": ["sent", "failed"],
        "state": ["running", "stopped"],
        "account_id": _accounts(),
        "name": ["carta", "email_1_roi"],
        "version": [1, 2],
        "slug": [company_landing.SLUG],
        "index": [0, 1],
    }


def _form_and_picture() -> dict[str, list[Any]]:
    """Store odd people who signed up by the form, and a picture; return their names in paths."""
    with transaction() as session:
        form = forms.by_slug(session, "guia")
        picture = pictures.add(session, gifs.GIF, "feria.gif", account_id=None, now=company.NOW)
    for number in range(3):
        signups.submit(form, f"persona{number}@feria.example", now=company.NOW, first_name="🦄" * 100)
    return {"slug": [form.definition.slug], "digest": [picture.digest]}


def _paths(app: Flask, samples: dict[str, list[Any]]) -> Iterator[str]:
    """Yield the path of each GET route below /app, with each sample of its parameters."""
    with app.test_request_context():
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
            if rule.rule.startswith("/app/") and "GET" in (rule.methods or ()) and rule.endpoint not in OTHERS:
                yield from _filled(rule, samples)


def _filled(rule: Rule, samples: dict[str, list[Any]]) -> Iterator[str]:
    names = sorted(rule.arguments)
    missing = [name for name in names if name not in samples]
    assert not missing, f"{rule.rule}: give samples of {missing} in this test, so that its page is visited"
    for values in product(*(samples[name] for name in names)):
        built = rule.build(dict(zip(names, values, strict=True)))
        assert built is not None
        yield built[1]


def _state() -> dict[str, str]:
    """Return a digest of each table."""
    with transaction() as session:
        names = session.scalars(text("SELECT relname FROM pg_class WHERE relkind = 'r' "
                                     "AND relnamespace = 'public'::regnamespace")).all()  # fmt: skip
        digest = "SELECT coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {} AS t"
        return {name: session.scalar(text(digest.format(name))) for name in set(names) - CACHES}


def test_reading_a_page_changes_nothing(site: Site) -> None:
    client, before = site.client(), _state()
    pages = {path: client.get(path) for path in site.paths}
    answers = {path: page.status_code for path, page in pages.items()}
    # A word in a template that is called as a method of `dict` is, such as `copy`.
    assert [path for path, page in pages.items() if "&lt;built-in method" in page.text] == []
    settled()
    assert _state() == before
    assert {path: status for path, status in answers.items() if status not in REFUSALS | {200, 303}} == {}
    shown = {path for path, status in answers.items() if status == 200}
    assert len(shown) > 10


@pytest.mark.parametrize("value", ["\0", "\ud800", "9" * 40, "-1", "x" * 5_000])
def test_no_parameter_of_an_address_breaks_a_page(site: Site, value: str) -> None:
    names = re.findall(r"request\.args(?:\.get|\.getlist)?[(\[]\"([a-z_]+)\"", "".join(_sources()))
    assert {"after", "before", "version", "reason", "lang"} <= set(names)
    query = urlencode([(name, value) for name in sorted(set(names))], errors="surrogatepass")
    client, whole = site.client(), [path for path in site.paths if not path.endswith("sign-out")]
    answers = {path: client.get(f"{path}?{query}").status_code for path in whole}
    assert {path: status for path, status in answers.items() if status >= 500} == {}
    settled()


def _sources() -> Iterator[str]:
    for path in Path(web.pages.__file__).parent.rglob("*.py"):
        yield path.read_text("utf-8")


@pytest.mark.timeout(600)
def test_every_page_is_accessible_small_and_within_its_policy(site: Site, chromium: Browser) -> None:
    faults: list[str] = []
    pages = dict(_pages(site))
    of_templates = list({template: path for path, template in reversed(pages.items())}.values())
    is_long = os.environ.get("PAGES") == "long"
    for number, (language, theme, width) in enumerate(EVERY if is_long else PAIRED):
        view = {"viewport": {"width": width, "height": 800}, "locale": language, "color_scheme": theme}
        with browser.tab(chromium, expected=[f"status of {status}" for status in REFUSALS], **view) as page:
            page.context.add_cookies([{"name": "cadencia", "value": site.session, "url": site.url}])
            for_axe = of_templates if is_long else of_templates[number::2]
            for path in pages if width == 360 else of_templates:
                answer = page.goto(site.url + path)
                assert answer is not None
                seen = [*_faults(page, len(answer.body())), *(_violations(page) if path in for_axe else ())]
                faults += [f"{language} {theme} {width} {path}: {fault}" for fault in seen]
    assert faults == [], "\n".join(faults)


def test_after_signing_out_the_back_button_leads_to_sign_in(site: Site, chromium: Browser) -> None:
    """Nothing of the session is shown again. Here, because a browser takes long to start."""
    with browser.tab(chromium, locale="es") as page:
        page.goto(f"{site.url}/app/account")
        page.fill("#account", "lucia")
        page.fill("#password", visitors.PASSWORD)
        page.click("main button")
        page.wait_for_url(f"{site.url}/app/account")
        page.goto(f"{site.url}/app/campaigns")
        page.click("header button")
        page.wait_for_url(f"{site.url}/app/sign-in")
        for _ in range(2):
            page.go_back()
            assert "/app/sign-in" in page.url and "lucia" not in page.inner_text("body")


def test_the_cursor_stands_at_the_first_fault_of_a_form(site: Site, chromium: Browser) -> None:
    with browser.tab(chromium, expected=["status of 422"]) as page:
        page.context.add_cookies([{"name": "cadencia", "value": site.session, "url": site.url}])
        page.goto(f"{site.url}/app/campaigns/new")
        page.press("#name", "Enter")
        browser.until(page, "document.activeElement.matches('#name.is-invalid')")


def _pages(site: Site) -> Iterator[tuple[str, str]]:
    """Yield the paths of whole pages, not of their parts, of files and redirects; each with its template."""
    client, rendered = site.client(), [""]

    def note(_: Flask, *, template: Any, **__: Any) -> None:
        rendered.append(template.name)

    with template_rendered.connected_to(note, site.app):
        for path in site.paths:
            answer = client.get(path)
            if answer.status_code != 303 and assets.PATHS["app.css"] in answer.text:
                yield path, rendered[-1]


def _faults(page: Page, size: int) -> Iterator[str]:
    if size > PAGE_BYTES_MAX:
        yield f"{size} bytes"
    is_at_start = page.evaluate("document.activeElement === document.body")
    page.keyboard.press("Tab")
    focus = page.evaluate("[document.activeElement.className, getComputedStyle(document.activeElement).outlineWidth]")
    if (is_at_start and "skip" not in focus[0]) or focus[1] == "0px":
        yield f"the first Tab goes to {focus}"
    page.evaluate("document.activeElement.blur()")
    # 640 is 1280 at 200 % zoom.
    for width in (360, 640, 1280) if page.viewport_size["width"] == 1280 else (360,):
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            yield f"{wide} px wider than {width} px: {page.evaluate(_WIDE)}"


def _violations(page: Page) -> Iterator[str]:
    for violation in Axe().run(page).response["violations"]:
        places = [(node["target"], node["html"][:160]) for node in violation["nodes"][:3]]
        yield f"{violation['id']} ({violation['help']}): {places}"


# The innermost elements that reach beyond the right edge.
_WIDE = """
[...document.querySelectorAll('body *')].filter(each => each.getBoundingClientRect().right > innerWidth + 1
    && ![...each.children].some(child => child.getBoundingClientRect().right > innerWidth + 1))
  .slice(0, 3).map(each => each.outerHTML.slice(0, 120))
"""
