"""One library has the templates of the folder and of the database, each version compiled once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from engine.templates import templates
from engine.templates.sources import Parts
from engine.templates.templates import Library, UnknownTemplate
from engine.templates.versions import history, reading, store
from engine.templates.versions.reading import StoredTemplates
from models import session as database
from tests.engine.templates.conftest import PlainLinks
from tests.engine.templates.versions.conftest import CHANGE, FOLDER, content


@pytest.fixture
def both(ledger: str) -> Library:
    """A library with `oferta` in the database, whose first version is published."""
    library = Library(FOLDER, stored=StoredTemplates(database.statement))
    with database.transaction() as session:
        store.create(session, "oferta", content(), library=library, change=CHANGE)
        store.publish(session, "oferta", 1, library=library)
    return library


def publish(library: Library, subject: str) -> int:
    with database.transaction() as session:
        newest = history.version(session, "oferta")[0].digest
        saved = store.save(session, "oferta", content(subject=subject), expected=newest, change=CHANGE)
        return store.publish(session, "oferta", saved.version, library=library).version


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The statements that are executed."""
    executed: list[str] = []

    def note(*args: object) -> None:
        executed.append(str(args[2]))

    event.listen(database.engine(), "before_cursor_execute", note)
    yield executed
    event.remove(database.engine(), "before_cursor_execute", note)


def test_both_kinds_are_found_by_name_and_compiled_once(both: Library, statements: list[str]) -> None:
    assert {"oferta", "email_1_roi"} <= set(both.names())
    oferta, roi = both.get("oferta"), both.get("email_1_roi")
    assert (oferta.version, roi.version) == (1, None)
    assert both.get("oferta") is oferta is both.get("oferta", 1) is both.pinned("oferta", 1)
    assert both.get("email_1_roi") is roi
    assert oferta.encode({"nombre": "Ana"}, PlainLinks())[0] == "Hola, Ana"
    assert len(statements) == 2  # the published versions, for a second, and the content


def test_a_published_version_is_used_at_once_after_a_refresh_and_a_pinned_one_stays(both: Library) -> None:
    before = both.get("oferta")
    assert publish(both, "Dos") == 2
    both.refresh()
    assert (both.get("oferta").version, both.get("oferta").subject_source) == (2, "Dos")
    assert both.pinned("oferta", 1) is before


def test_another_process_uses_a_published_version_a_second_later(both: Library) -> None:
    assert both.get("oferta").version == 1
    publish(both, "Dos")
    assert isinstance(both._stored, StoredTemplates)
    both._stored._until -= reading.PUBLISHED_FOR_S
    assert both.get("oferta").version == 2


def test_an_email_without_a_version_has_the_template_of_the_folder(both: Library) -> None:
    with pytest.raises(UnknownTemplate, match="oferta"):
        both.pinned("oferta", None)
    with pytest.raises(UnknownTemplate, match="no version 7"):
        both.get("oferta", 7)


def test_a_draft_is_not_sent_but_can_be_asked_for(both: Library) -> None:
    with database.transaction() as session:
        store.create(session, "borrador", content(), library=both, change=CHANGE)
    both.refresh()
    assert "borrador" not in both.names()
    with pytest.raises(UnknownTemplate):
        both.get("borrador")
    assert both.get("borrador", 1).version == 1


def test_a_folder_that_a_deployment_adds_later_does_not_replace_the_stored_template(
    both: Library, tmp_path: Path
) -> None:
    (tmp_path / "oferta").mkdir()
    for file, written in content(subject="De la carpeta").files().items():
        (tmp_path / "oferta" / file).write_text(written)
    later = Library(tmp_path, stored=StoredTemplates(database.statement))
    assert later.names() == later.folder_names() == ["oferta"]
    assert later.get("oferta").version == 1
    assert later.pinned("oferta", None).subject_source == "De la carpeta"


class Numbered:
    """Stored templates of any number of versions."""

    def published(self) -> dict[str, int]:
        return {"oferta": 1}

    def refresh(self) -> None:
        """Nothing is kept."""

    def parts(self, name: str, version: int) -> Parts:
        return content(subject=f"{name} {version}", html="x").parts()


def test_the_number_of_compiled_versions_is_bounded() -> None:
    library = Library(FOLDER, stored=Numbered())
    first, second = library.get("oferta"), library.get("oferta", 2)
    for version in range(3, templates.VERSIONS_KEPT + 2):
        library.get("oferta", version)
    assert library.get("oferta", 2) is second
    assert library.get("oferta", 1) is not first
