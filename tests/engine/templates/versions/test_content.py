"""The content of a template is bounded, has a digest, and can come from a folder."""

import re
from pathlib import Path
from typing import Any

import pytest

from engine.templates.brand import Brand
from engine.templates.sources import FolderParts
from engine.templates.templates import Library
from engine.templates.versions import content as contents
from engine.templates.versions import copying
from engine.templates.versions.content import PART_BYTES_MAX
from errors import InvalidInput
from tests.engine.templates.conftest import PlainLinks
from tests.engine.templates.versions.conftest import FOLDER, content


def test_equal_contents_have_equal_digests_and_each_part_counts() -> None:
    one = content(sample={"a": 1, "b": "ñ"})
    assert one.digest == content(sample={"b": "ñ", "a": 1}).digest
    others = [
        content(sample={"a": 1, "b": "n"}),
        content(sample={"a": 1, "b": "ñ"}, text=""),
        content(sample={"a": 1, "b": "ñ"}, preheader="x"),
        content(sample={"a": 1, "b": "ñ"}, html=None, mjml=one.html),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 5


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"html": None}, "html", "give html or mjml"),
        ({"mjml": "<mjml></mjml>"}, "html", "not both"),
        ({"html": "ñ" * (PART_BYTES_MAX // 2 + 1)}, "html", f"at most {PART_BYTES_MAX} bytes"),
        ({"text": "a\0b"}, "text", "NUL"),
        ({"text": "a\ud800"}, "text", "surrogate"),
        ({"subject": "a\nb"}, "subject", "one line"),
        ({"preheader": "a\u2028b"}, "preheader", "one line"),
        ({"subject": "x" * 1_001}, "subject", "1000"),
        ({"sample": {"a": float("inf")}}, "sample", "number"),
        ({"sample": {"a": "\ud800"}}, "sample", "surrogate"),
        ({"sample": {"a": "x\0"}}, "sample", "NUL"),
        ({"sample": {"a": object()}}, "sample", "may hold text"),
        ({"sample": {"a": "x" * 65_536}}, "sample", "65536"),
    ],
)
def test_an_invalid_content_is_refused_at_its_field(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        content(**changes).check()
    [fault] = refused.value.faults
    assert fault.field == field
    assert words in fault.message


def test_a_draft_may_be_unfinished_or_broken() -> None:
    content(subject="", html="{% if", sample={}).check()


@pytest.mark.parametrize(
    ("files", "field"),
    [
        ({"subject.txt": "x", "body.html": "x", "../x": "x"}, "files"),
        ({"body.html": "x"}, "subject"),
        ({"subject.txt": "x", "sample.json": "{"}, "sample"),
        ({"subject.txt": "x", "sample.json": "1" * 5_000}, "sample"),
        ({"subject.txt": "x", "sample.json": "[" * 100_000}, "sample"),
        ({"subject.txt": "x", "sample.json": "[]"}, "sample"),
    ],
)
def test_files_that_are_no_template_are_refused(files: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        contents.of_files(files)
    assert refused.value.faults[0].field == field


def test_files_and_content_are_the_same() -> None:
    one = content(preheader="Una línea", text="Hola", sample={"nombre": "Ñoño"})
    assert contents.of_files(one.files()) == one


def visible(encoded: tuple[Any, ...]) -> list[object]:
    """Return the parts of an e-mail without its hidden first line, and without the places of its line breaks."""
    hidden = re.compile(rb'<div[^>]*\sstyle="display: ?none.*?</div>', re.DOTALL)
    parts = [hidden.sub(b"", part, count=1) if isinstance(part, bytes) else part for part in encoded]
    return [re.sub(rb">\s+<", b"><", b" ".join(part.split())) if isinstance(part, bytes) else part for part in parts]


@pytest.mark.parametrize("name", Library(FOLDER).names())
def test_a_shipped_template_is_copied_whole_and_stands_alone(name: str) -> None:
    """The copy makes the same bytes for each brand, with the layouts in it and the brand still variable.

    Only its hidden first line is not that of the layout: see test_copying.
    """
    copied = copying.of_folder(FolderParts(FOLDER / name))
    assert "{% extends" not in (copied.html or "")
    for brand in (Brand("Ronda", "Calle Mayor 1", "a@ronda.example", "#ffcc00", "https://r.example/l.png"), Brand()):
        library = Library(FOLDER, "https://us.example/h", brand)
        original, copy = library.get(name), library.compile(name, copied.parts())
        odd = dict.fromkeys(original.required, "https://a.example/é<'\"&")
        for values in (original.sample, odd) if original.is_simple else (original.sample,):
            assert visible(copy.encode(values, PlainLinks())) == visible(original.encode(values, PlainLinks()))
    assert original.lacking == frozenset()


def test_a_copy_keeps_what_looks_like_code(tmp_path: Path) -> None:
    folder = tmp_path / "prueba"
    folder.mkdir()
    raw = "{% raw %}{{ x }} {% y %}{% endraw %}{{ nombre }}{# gone #}{% raw %}{{% endraw %}"
    body = f"<p>{raw}{{{{ nombre }}}} {{{{- nombre -}}}} .</p>\n"
    for file, text in {"subject.txt": "S", "body.html": body, "sample.json": '{"nombre": "Ana"}'}.items():
        (folder / file).write_text(text)
    library = Library(tmp_path)
    copy = library.compile("prueba", copying.of_folder(FolderParts(folder)).parts())
    rendered = [each.encode({"nombre": "Ana"}, PlainLinks()) for each in (library.get("prueba"), copy)]
    assert rendered[0] == rendered[1]
    assert b"<p>{{ x }} {% y %}Ana{AnaAna.</p>" in rendered[0][1]
