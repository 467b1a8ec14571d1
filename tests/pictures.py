"""Pictures of the shipped e-mails and readers' pages, light and dark, in three widths: `make pictures`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import web
from engine.templates.templates import Library
from local.stack import BRAND
from settings import current
from tests import browser
from tests.environment import TEST_ENVIRONMENT, environment
from web.public import languages, pages

WIDTHS = (360, 640, 1280)
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_READERS = Path(pages.__file__).parent / "templates" / "public"
ENVIRONMENT = {**TEST_ENVIRONMENT, **BRAND, "DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/none"}


class SampleLinks:
    """Addresses that lead nowhere; the pixel is empty, so that nothing is fetched."""

    pixel = "data:,"
    unsubscribe = "https://correo.example/u/token"

    def clicked(self, _link: int, target: str) -> str:
        """Return the target."""
        return target


def emails() -> Iterator[tuple[str, str]]:
    """Yield name and HTML of each shipped e-mail, as marketing and as transactional, with its sample."""
    library = Library.configured(current())
    for name in library.names():
        template = library.get(name)
        yield name, template.render(template.sample, SampleLinks()).html
        transactional = SampleLinks()
        transactional.unsubscribe = ""
        yield f"{name}-transactional", template.render(template.sample, transactional).html


# Values of the pages of forms: one wrong field, one choice, one consent.
FORM: dict[str, Any] = {
    "title": "La guía del retorno",
    "fields": [
        {
            "name": "first_name",
            "label": "Nombre",
            "required": True,
            "max": 100,
            "options": [],
            "autocomplete": "given-name",
        },
        {"name": "sector", "label": "Sector de la empresa", "required": False, "max": 50, "options": ["Banca", "Otro"]},
    ],
    "consent": "Acepto recibir correos de la empresa y puedo darme de baja en cualquier momento.",
    "typed": {"email": "eva@empresa.example", "first_name": "", "sector": "Banca", "consent": ""},
    "codes": {"first_name": "needed"},
    "utm": "",
    "stamp": "",
    "state": "asked",
    "thanks": "",
    "presses": False,
}


def readers_pages() -> Iterator[tuple[str, str]]:
    """Yield name and HTML of each readers' page in each language, with its style sheet inside."""
    app = web.create_app()
    style = app.test_client().get("/style/readers.css").text
    with app.test_request_context():
        for language in languages.AVAILABLE:
            for file in sorted((_READERS / language).iterdir()):
                for is_pending in (False, True)[: 1 + ("is_pending" in file.read_text("utf-8"))]:
                    links: dict[str, Any] = dict.fromkeys(("action", "pause", "unsubscribe"), "/")
                    response = pages.page(file.stem, language, is_pending=is_pending, **links, **FORM)
                    html = response.get_data(as_text=True)
                    link = '<link rel="stylesheet" href="/style/readers.css">'
                    yield (
                        f"{language}-{file.stem}{'-pending' * is_pending}",
                        html.replace(link, f"<style>{style}</style>"),
                    )


def main(folder: Path) -> None:
    """Write the pictures, and the HTML they show, to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with environment(**ENVIRONMENT, LOG_FILE=str(folder / "pictures.log")):
        documents = [*emails(), *readers_pages()]
    with browser.started() as chromium, browser.tab(chromium) as page:
        for name, html in documents:
            file = folder / f"{name}.html"
            file.write_text(html, "utf-8")
            page.goto(file.absolute().as_uri())
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 100})
                for scheme in _SCHEMES:
                    page.emulate_media(color_scheme=scheme)
                    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
    print(f"{len(documents) * len(WIDTHS) * 2} pictures of {len(documents)} e-mails and pages are in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
