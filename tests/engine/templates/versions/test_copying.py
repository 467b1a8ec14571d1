"""Copies of folders: the line beside the subject is a field, and not hidden in the source."""

from pathlib import Path

import pytest

from engine.templates.sources import FolderParts
from engine.templates.templates import Library
from engine.templates.versions import copying
from tests.engine.templates.conftest import PlainLinks

FOLDER = Path(__file__).parents[4] / "email_templates"
LINE = "Son dos minutos de lectura y se responde con un sí o un no."


@pytest.mark.parametrize("name", ["carta_es", "email_1_roi_en", "confirmation_es"])
def test_a_copy_has_its_preheader_in_the_field(name: str) -> None:
    copied = copying.of_folder(FolderParts(FOLDER / name))
    source = copied.mjml or copied.html or ""
    assert copied.preheader and (name != "carta_es" or copied.preheader == LINE)
    assert copied.preheader not in source and "mj-preview" not in source and "></div>" not in source
    copy = Library(FOLDER).compile(name, copied.parts())
    assert copy.encode(copy.sample, PlainLinks())[1].decode().count(copied.preheader) == 1


@pytest.mark.parametrize(
    ("block", "preheader"),
    [("Para {{ empresa }} &amp; socios", "Para {{ empresa }} & socios"), ("<b>no</b>", ""), ("{{ super() }}x", "")],
)
def test_only_a_line_of_text_becomes_the_field(tmp_path: Path, block: str, preheader: str) -> None:
    (tmp_path / "_layout.html").write_text((FOLDER / "_layout.html").read_text())
    folder = tmp_path / "prueba"
    folder.mkdir()
    (folder / "subject.txt").write_text("Asunto")
    body = f'{{% extends "_layout.html" %}}{{% block preheader %}}{block}{{% endblock %}}'
    (folder / "body.html").write_text(body + "{% block content %}<p>{{ empresa }}</p>{% endblock %}")
    (folder / "sample.json").write_text('{"empresa": "Ronda"}')
    assert copying.of_folder(FolderParts(folder)).preheader == preheader
