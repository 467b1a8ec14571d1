"""The versions of templates are listed in pages, and two of them are compared in bounded time."""

from time import monotonic

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.access import accounts
from engine.templates.templates import Library
from engine.templates.versions import history, store
from errors import NotFound
from tests.engine.templates.versions.conftest import CHANGE, NOW, content


def test_templates_and_versions_are_listed_in_pages(session: Session, library: Library) -> None:
    account = accounts.create(session, "lucia", "una contraseña larga", scopes=["campaigns"])
    for name in ("c", "a", "b"):
        store.create(session, name, content(), library=library, change=store.Change(account.id, NOW, None))
    digest = content().digest
    for number in range(2, 6):
        digest = store.save(session, "b", content(subject=f"{number}"), expected=digest, change=CHANGE).digest
    assert [(each.name, each.version) for each in history.templates(session, limit=2)] == [("a", 1), ("b", 5)]
    assert [each.name for each in history.templates(session, after="b")] == ["c"]
    assert [each.version for each in history.versions(session, "b", limit=2)] == [5, 4]
    assert [each.version for each in history.versions(session, "b", before=3)] == [2, 1]
    assert history.versions(session, "b", before=1) == []
    first = history.versions(session, "a")[0]
    assert (first.author, first.author_id, first.note, first.created_at) == ("lucia", account.id, None, NOW)


def test_names_are_ordered_as_those_of_the_folder_whatever_order_the_database_uses(session: Session) -> None:
    columns = "FROM information_schema.columns WHERE table_name = 'templates' AND column_name = 'name'"
    assert session.scalar(text(f"SELECT collation_name {columns}")) == "C"


def test_an_unknown_version_is_not_found(session: Session, library: Library) -> None:
    store.create(session, "oferta", content(), library=library, change=CHANGE)
    with pytest.raises(NotFound, match="'nada'"):
        history.versions(session, "nada")
    with pytest.raises(NotFound, match="version 2"):
        history.version(session, "oferta", 2)


def test_a_diff_shows_each_part_that_differs() -> None:
    lines = [f"línea {number}" for number in range(1, 41)]
    changed = [*lines[:19], "otra", *lines[20:]]
    old = content(html="\n".join(lines), text="x\n")
    new = content(html="\n".join(changed), preheader="Hola", text="x\r\n", subject="S")
    assert history.diff(old, new) == {
        "subject": ["@@ -1 +1 @@", "-Hola, {{ nombre }}", "+S"],
        "preheader": ["@@ -0,0 +1 @@", "+Hola"],
        "html": [
            "@@ -17,7 +17,7 @@",
            " línea 17", " línea 18", " línea 19", "-línea 20", "+otra", " línea 21", " línea 22", " línea 23",
        ],
        "text": ["\\ only line ends differ"],
    }  # fmt: skip
    assert history.diff(old, old) == {}


def test_large_and_hostile_texts_are_compared_at_once() -> None:
    """difflib takes minutes for lines that repeat a few hundred times each."""
    old = content(html="\n".join(f"{number % 700}" for number in range(60_000)))
    new = content(html="\n".join(f"{number * 7 % 701}" for number in range(60_000)))
    began = monotonic()
    [head, *lines] = history.diff(old, new)["html"]
    assert monotonic() - began < 2
    assert head.startswith("@@ -2,")
    assert len(lines) > 100_000
