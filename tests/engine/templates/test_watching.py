"""In development an edited folder is read again, at most once a second."""

from pathlib import Path

import pytest

import settings
from engine.templates.compiling import BrokenTemplate
from engine.templates.templates import Library
from tests.conftest import environment


def library(folder: Path, *, watches: bool) -> Library:
    folders = {"TEMPLATES_DIR": str(folder), "TEMPLATES_WATCH": str(watches)}
    with environment(DATABASE_URL="postgresql://x@127.0.0.1:9/none", **folders):
        return Library.configured(settings.current())


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    """Return the file of the subject of a template `prueba`."""
    folder = tmp_path / "prueba"
    folder.mkdir()
    for name, written in {"subject.txt": "Uno", "body.html": "<p>x</p>", "sample.json": "{}"}.items():
        (folder / name).write_text(written)
    return folder / "subject.txt"


def look_again(library: Library) -> None:
    library._looked_at = 0.0


def test_an_edit_is_served_without_a_restart_and_a_fault_is_named_by_line(subject: Path, tmp_path: Path) -> None:
    watching, keeping = library(tmp_path, watches=True), library(tmp_path, watches=False)
    first = watching.get("prueba")
    assert keeping.get("prueba").subject_source == first.subject_source == "Uno"
    subject.write_text("Dos largo")
    assert watching.get("prueba") is first  # it looked less than a second ago
    look_again(watching)
    assert watching.get("prueba").subject_source == "Dos largo"
    (tmp_path / "prueba" / "body.html").write_text("<p>\n{% if %}")
    look_again(watching)
    with pytest.raises(BrokenTemplate, match=r"body\.html line 2") as broken:
        watching.get("prueba")
    assert (broken.value.part, broken.value.line) == ("body.html", 2)
    (tmp_path / "prueba" / "body.html").write_text("<p>bien</p>")
    look_again(watching)
    assert watching.get("prueba").subject_source == "Dos largo"
    look_again(keeping)
    assert keeping.get("prueba").subject_source == "Uno"


def test_an_edited_layout_is_seen_too_and_nothing_else_is_compiled_again(subject: Path, tmp_path: Path) -> None:
    watching = library(tmp_path, watches=True)
    first = watching.get("prueba")
    look_again(watching)
    assert watching.forget_edited() == []
    assert watching.get("prueba") is first
    (tmp_path / "_layout.html").write_text("x")
    look_again(watching)
    assert watching.forget_edited() == ["prueba"]
