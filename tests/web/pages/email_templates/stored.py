"""Templates in the database for tests of their pages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.templates.templates import Library
from engine.templates.versions import history, store
from engine.templates.versions.content import Content
from engine.templates.versions.history import Version
from engine.templates.versions.store import Change
from models.session import transaction
from tests import sequence
from tests.web.pages import visitors

LIBRARY = Library(Path(__file__).parents[4] / "email_templates")  # whatever TEMPLATES_DIR a test sets
HTML = '<html lang="es">\n<body>\n<p>Hola, {{ nombre }}</p>\n</body>\n</html>'
CONTENT = Content("Para {{ nombre }}", html=HTML, sample={"nombre": "Ana"})


def create(name: str = "carta", *, publish: bool = False, content: Content = CONTENT) -> None:
    """Store a template, and publish it."""
    with transaction() as session:
        store.create(session, name, content, library=LIBRARY, change=Change(None, sequence.NOW))
        if publish:
            store.publish(session, name, 1, library=LIBRARY)


def save(name: str = "carta", *, note: str | None = None, **changes: Any) -> None:
    """Store a version with these changes of the newest one."""
    version, content = newest(name)
    change = Change(None, sequence.NOW, note)
    with transaction() as session:
        store.save(session, name, replace(content, **changes), expected=version.digest, change=change)


def newest(name: str = "carta") -> tuple[Version, Content]:
    """Return the newest version and its content."""
    with transaction() as session:
        return history.version(session, name)


def form(page: Any, **changes: str) -> dict[str, str]:
    """Return the form of the editor's page with `CONTENT`, and these fields changed."""
    expected = page.text.partition('name="expected"')[2].partition('value="')[2].partition('"')[0]
    return {
        "csrf_token": visitors.token(page),
        "expected": expected,
        "subject": CONTENT.subject,
        "preheader": "",
        "kind": "html",
        "body": HTML.replace("\n", "\r\n"),
        "text": "",
        "sample": '{"nombre": "Ana"}',
        "note": "",
        "values": "",
        **changes,
    }
