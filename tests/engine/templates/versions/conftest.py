"""Templates in the database for tests: a library that reads them, and contents."""

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from engine.templates.templates import Library
from engine.templates.versions.content import Content
from engine.templates.versions.reading import StoredTemplates
from engine.templates.versions.store import Change

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
CHANGE = Change(None, NOW, "primera")
FOLDER = Path(__file__).parents[4] / "email_templates"
LIBRARY = Library(FOLDER)


def content(**changes: Any) -> Content:
    """A content that can be published."""
    usual = {"subject": "Hola, {{ nombre }}", "html": "<p>Hola, {{ nombre }}</p>", "sample": {"nombre": "Ana"}}
    return Content(**{**usual, **changes})


def reading(session: Session) -> Library:
    """Return a library that reads the database in this session."""
    return Library(FOLDER, stored=StoredTemplates(lambda: nullcontext(session)))


@pytest.fixture
def library() -> Library:
    return LIBRARY
