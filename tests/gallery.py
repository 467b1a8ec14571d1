"""Pictures of the pages below /app with a company's data, and their section of docs/pages.md: `make gallery`."""

import base64
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page
from sqlalchemy import text

from engine.access import accounts, bearer_tokens
from engine.templates.sources import FolderParts
from engine.templates.versions import copying
from engine.templates.versions.content import Content
from models.session import transaction
from tests import browser, company, services
from tests.company import Company
from tests.environment import TEST_ENVIRONMENT, environment
from tests.web.pages import visitors
from tests.web.pages.email_templates import stored
from tests.web.serving import application

ROOT = Path(__file__).parents[1]
DOCUMENT, FOLDER = ROOT / "docs" / "pages.md", ROOT / "docs" / "pages"
BEGIN, END = "<!-- gallery -->", "<!-- end of the gallery -->"
BYTES_MAX = 3_000_000  # of all pictures
_HEIGHTS = {1280: 1100, 360: 900}


@dataclass(frozen=True)
class Shot:
    """A picture of one page: its name, its title, its path, and the endpoint that answers there."""

    name: str
    title: str
    endpoint: str
    path: Callable[[Company], str]


def _launch(it: Company) -> str:
    return f"/app/campaigns/{it.draft}/launch"


_TEMPLATE = "oferta_otono"  # in the database
_OWN = f"/app/templates/{_TEMPLATE}"
SHOTS = (
    Shot("overview", "Overview", "overview_pages.show", lambda _: "/app/"),
    Shot("campaigns", "Campaigns", "campaigns_pages.listing", lambda _: "/app/campaigns"),
    Shot("campaign", "One campaign", "campaigns_pages.show", lambda it: f"/app/campaigns/{it.running}"),
    Shot("launch", "Before a launch", "campaign_actions_pages.ask_launch", lambda it: _launch(it)),
    Shot("new-campaign", "A new campaign", "campaign_drafts_pages.ask_create", lambda _: "/app/campaigns/new"),
    Shot(
        "people",
        "The people behind a number",
        "campaign_people_pages.in_state",
        lambda it: f"/app/campaigns/{it.running}/contacts/stopped",
    ),
    Shot("calendar", "Calendar", "calendar_pages.show", lambda _: "/app/calendar"),
    Shot("contacts", "Contacts", "contacts_pages.listing", lambda _: "/app/contacts"),
    Shot("contact", "One contact", "contact_pages.show", lambda it: f"/app/contacts/{it.contact}"),
    Shot("import", "Import of a file", "import_pages.show", lambda it: f"/app/contacts/imports/{it.imported}"),
    Shot("suppressions", "Suppressions", "suppressions_pages.listing", lambda _: "/app/contacts/suppressions"),
    Shot("templates", "Templates", "templates_pages.listing", lambda _: "/app/templates"),
    Shot("template", "One template", "template_pages.show", lambda _: "/app/templates/email_1_roi"),
    Shot("template-editor", "Editor of a template", "template_editor_pages.ask_edit", lambda _: f"{_OWN}/edit"),
    Shot(
        "template-versions", "Versions of a template", "template_versions_pages.listing", lambda _: f"{_OWN}/versions"
    ),
    Shot("pictures", "Pictures", "pictures_pages.listing", lambda _: "/app/pictures"),
    Shot("forms", "Forms", "forms_pages.listing", lambda _: "/app/forms"),
    Shot("form", "One form", "form_pages.show", lambda _: "/app/forms/guia"),
    Shot("form-people", "People of a form", "form_people_pages.listing", lambda _: "/app/forms/guia/people"),
    Shot("new-form", "A new form", "form_editing_pages.ask_create", lambda _: "/app/forms/new"),
    Shot("landing-pages", "Landing pages", "landing_pages.listing", lambda _: "/app/pages"),
    Shot("landing-page", "One landing page", "landing_page_pages.show", lambda _: "/app/pages/guia"),
    Shot(
        "landing-block", "A block with a picture", "landing_edit_pages.ask_edit", lambda _: "/app/pages/guia/blocks/2"
    ),
    Shot("in-doubt", "E-mails in doubt", "in_doubt_pages.listing", lambda _: "/app/in-doubt"),
    Shot("health", "Health", "health_pages.show", lambda _: "/app/health"),
    Shot("users", "Users", "users_pages.listing", lambda _: "/app/users"),
    Shot("account", "Account", "account_pages.show", lambda _: "/app/account"),
)
_ENTRY = """\
### {title}

![{title}, on a screen 1280 pixels wide](pages/{name}.webp)

<details><summary>{title} on a telephone, in dark colours and the other language</summary>

![{title}, on a screen 360 pixels wide](pages/{name}-360.webp)

</details>
"""


def section() -> str:
    """Return the section of the document: each page on a screen and on a telephone."""
    return "\n".join(_ENTRY.format(name=shot.name, title=shot.title) for shot in SHOTS)


def filled(document: str) -> str:
    """Return the document with the section between its marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{DOCUMENT.name} lacks its marks {BEGIN} and {END}"
    return f"{before}{begin}\n{section()}\n{end}{after}"


def _content() -> Content:
    return copying.of_folder(FolderParts(ROOT / "email_templates" / "carta_es"))


@contextmanager
def site(*, odd: bool = False) -> Iterator[tuple[str, str, Company]]:
    """Serve the pages with a company's data; yield the address, a session of an administrator, and the company."""
    with services.embedded_postgres() as server, TemporaryDirectory() as folder:
        own = {"DATABASE_URL": server.url(services.TEMPLATE), "LOG_FILE": f"{folder}/log"}
        own |= {"SPOOL_DIR": f"{folder}/spool", "RECORDER_DIR": f"{folder}/recorders"}
        with environment(**TEST_ENVIRONMENT, **company.ENVIRONMENT, **own), application() as (app, url):
            filled = company.fill(odd=odd)
            stored.create(_TEMPLATE, publish=True, content=_content())
            stored.save(_TEMPLATE, subject="{{ nombre }}, una oferta hasta el 30", note="Un asunto más corto")
            with transaction() as session:
                lucia = accounts.create(session, "lucia", "una frase muy larga", scopes=["admin"])
                session.execute(text("UPDATE snapshots SET taken_at = :now"), {"now": company.NOW})
            token = bearer_tokens.issue_session(lucia, now=datetime.now(UTC))
            client = app.test_client()
            client.set_cookie("cadencia", token)
            filled.imported = visitors.upload(client)
            yield url, token, filled


def main(names: Sequence[str]) -> None:
    """Write the section and the pictures of these pages, without names of all."""
    FOLDER.mkdir(exist_ok=True)
    wanted = {f"{shot.name}{suffix}.webp" for shot in SHOTS for suffix in ("", "-360")}
    for outdated in FOLDER.iterdir():
        if outdated.name not in wanted:
            outdated.unlink()
    with site() as (url, session, it), browser.started() as chromium:
        for number, shot in enumerate(SHOTS):
            if names and shot.name not in names:
                continue
            screen, telephone = ("es", "en") if number % 2 == 0 else ("en", "es")
            for suffix, view in (("", (1280, "light", screen)), ("-360", (360, "dark", telephone))):
                picture = taken(chromium, url + shot.path(it), session, view)
                (FOLDER / f"{shot.name}{suffix}.webp").write_bytes(picture)
    DOCUMENT.write_text(filled(DOCUMENT.read_text("utf-8")), "utf-8")
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(wanted)} pictures, {size:,} bytes, in {FOLDER.relative_to(ROOT)}")


def taken(chromium: Browser, url: str, session: str, view: tuple[int, str, str]) -> bytes:
    """Return a picture of a page as WebP."""
    width, theme, language = view
    height = _HEIGHTS[width]
    options = {"viewport": {"width": width, "height": height}, "color_scheme": theme, "locale": language}
    with browser.tab(chromium, **options) as page:
        page.context.add_cookies([{"name": "cadencia", "value": session, "url": url}])
        page.goto(url, wait_until="networkidle")  # frames of a template load late
        png = page.screenshot()
    with browser.tab(chromium) as page:
        return webp(page, png)


# A canvas encodes WebP, a third of the size of PNG.
_ENCODE = """
async png => {
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + png)).blob());
  const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas.toDataURL('image/webp', 0.82).split(',')[1];
}
"""


def webp(page: Page, png: bytes) -> bytes:
    """Return the picture as WebP, encoded by the browser."""
    return base64.b64decode(page.evaluate(_ENCODE, base64.b64encode(png).decode()))


if __name__ == "__main__":
    main(sys.argv[1:])
