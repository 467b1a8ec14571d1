"""Messages of the editor are in the reader's language: those of Jinja, ours, and those of the checks."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from engine.previews import trial
from engine.templates import checks
from engine.templates.sources import WrittenParts
from tests.engine.templates.checks.test_checks import FAULTS
from tests.rules import repository
from tests.web.pages.email_templates import stored
from web.pages.email_templates import fields, live
from web.pages.frame import faults

ENGLISH = re.compile(r"\b(?:the|is|are|has|was|expected|unexpected|must|cannot|not|more|than|tag|of)\b", re.IGNORECASE)
SAYING = {
    "error", "finding", "Finding", "Misfit", "TooMuch", "EndlessTag", "_report", "_refuse", "_rule",
    "TemplateSyntaxError", "SecurityError",
}  # fmt: skip
VALUE = "«x»"
ASSEMBLED = {f"the link to {VALUE} {VALUE}"}  # of parts; a test of the findings sees it whole
# A body, and the words that a Spanish author reads.
BROKEN = {
    "{% fi x %}": "la instrucción «fi» no existe",
    "{% if nombre %}x{% endfor %}": "se esperaba «elif» o «else» o «endif», para cerrar el «if» abierto",
    "{% if nombre %}{% for a in b %}{% endif %}": "«endif» llega demasiado pronto",
    "{% if nombre %}x": "la plantilla termina sin cerrar el «if» abierto",
    "{{ nombre": "la plantilla termina antes de tiempo; se esperaba «}}»",
    "{{ nombre apellido }}": "se esperaba «}}», pero aquí está «apellido»",
    "{% if %}x{% endif %}": "se esperaba una expresión, pero aquí está «%}»",
    "{{ a) }}": "«)» no puede estar aquí",
    "{{ (a] }}": "«]» no puede estar aquí; se esperaba «)»",
    "{{ a ? b }}": "el carácter «?» no puede estar aquí",
    "{# x": "el comentario no se cierra",
    "{{ nombre|mayusculas }}": "no existe el filtro «mayusculas»",
    "{{ nombre is corto }}": "no existe la comprobación «corto»",
    "{% for loop in [1] %}x{% endfor %}": "«loop» está reservado",
    "{% include 'x' %}": "include: esta plantilla no puede usar otros archivos",
    "{% macro x() %}{% endmacro %}": "Macro: no se admite aquí",
    "{{ range(9999999)|list }}": "range: más de",
    "{{ [1] }}": "un valor de tipo list no se puede escribir entero",
    "{{ nombre.format(1) }}": "aquí no se puede llamar a un valor de tipo",
    '<a href="javascript:x">x</a>': "un correo no puede enlazarlo",
    "<p": "una etiqueta no se cierra",
    "<!-- x": "un comentario no se cierra con -->",
    "<style>x": "<style> no se cierra con </style>",
    "<{{ nombre }}>": "el nombre de una etiqueta no puede venir del código",
    "<div>" * 300: "los elementos se anidan a más de 200 niveles",
    "": "falta",
}  # fmt: skip
BROKEN_MJML = {
    "<mj-text>x": "<mj-text> no se cierra antes de </mj-column>; ponga </mj-text> antes de </mj-column>",
    "<mj-txt>x</mj-txt>": "«mj-txt» no existe; ¿quiso decir mj-text?",
    "<p>x</p>": "<p> no puede ir directamente en <mj-column>; póngalo en mj-text",
    "x": "el texto no puede ir directamente en <mj-column>",
    "{{ nombre }}": "un valor no puede ir directamente en <mj-column>",
    "<MJ-TEXT>x</MJ-TEXT>": "<mj-text> se escribe en minúsculas",
    "<mj-text color=red>x</mj-text>": "color necesita un valor entre comillas",
    "<mj-text>&nix;</mj-text>": "&nix; no es un carácter de HTML",
    "<mj-carousel></mj-carousel>": "<mj-carousel>: solo lo muestra el programa de correo de Apple",
}
MJML = "<mjml><mj-body><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"


@pytest.fixture
def spanish(app: Flask) -> Iterator[None]:
    with app.test_request_context(headers={"Accept-Language": "es"}):
        yield


def _said(**changes: Any) -> str:
    content = replace(stored.CONTENT, **changes)
    _, placed = trial.of(stored.LIBRARY, "carta", content)
    return " ".join(live.worded(fault).message for fault in placed)


@pytest.mark.usefixtures("spanish")
def test_the_faults_of_an_unusable_template_are_in_spanish() -> None:
    said = {body: _said(html=body) for body in BROKEN}
    said |= {body: _said(html=None, mjml=MJML.format(body)) for body in BROKEN_MJML}
    wanted = BROKEN | BROKEN_MJML
    assert {body: text for body, text in said.items() if wanted[body].lower() not in text.lower()} == {}
    assert {body: text for body, text in said.items() if ENGLISH.search(text)} == {}


@pytest.mark.usefixtures("spanish")
def test_the_findings_of_the_checks_and_their_remedies_are_said_in_spanish() -> None:
    said = []
    for body, *_ in FAULTS:
        for each in checks.of("carta", WrittenParts({"subject.txt": "x" * 61, "sample.json": "{}", "body.html": body})):
            said += [faults.sentence(each.message), faults.sentence(each.remedy)]
    assert len(said) > 60
    assert [text for text in said if ENGLISH.search(text)] == []
    assert any("#777777 sobre #ffffff tiene un contraste de 4,48; hace falta 4,5" in text for text in said)


@pytest.mark.usefixtures("spanish")
def test_faults_of_json_are_said_in_spanish() -> None:
    for written in (
        "{a}",
        '{"a": 1,}',
        '{"a": 1 "b": 2}',
        '{"a": }',
        "{} x",
        '{"a": "x',
        '{"a": "\n"}',
        '{"a": "\\x"}',
    ):
        _, placed = live._template("carta", _form(written))
        assert [each.message for each in placed if ENGLISH.search(each.message)] == [], written
        assert placed and "xpect" not in placed[0].message and "nvalid" not in placed[0].message


def _form(sample: str) -> Any:
    form = fields.of_content(stored.CONTENT, "")
    form.sample.data = sample
    return form


def test_each_message_in_the_code_of_checks_and_sources_has_a_translation() -> None:
    written = dict(_written())
    assert len(written) > 100
    assert {
        text: place for text, place in written.items() if text not in ASSEMBLED and not faults.is_translated(text)
    } == {}


def _written() -> Iterator[tuple[str, str]]:
    """Yield each text that reports a fault, or that a variable such as `message` gets, with its place."""
    for name, tree in repository.sources("engine").items():
        if not name.startswith("engine/templates/"):
            continue
        for node in repository.nodes(tree):
            is_call = isinstance(node, ast.Call) and _name(node.func) in SAYING
            is_named = isinstance(node, ast.Assign) and _name(node.targets[0]) in ("message", "remedy", "reason")
            if is_call or is_named:
                yield from ((text, f"{name}:{getattr(node, 'lineno', 0)}") for text in _texts(node))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _texts(node: Any) -> Iterator[str]:
    for each in (*getattr(node, "args", ()), *([node.value] if isinstance(node, ast.Assign) else ())):
        for branch in [each.body, each.orelse] if isinstance(each, ast.IfExp) else [each]:
            parts = branch.values if isinstance(branch, ast.JoinedStr) else [branch]
            text = "".join(_part(part) for part in parts)
            if re.search("[a-z] [a-z]", text) and "\\" not in text:
                yield text


def _part(part: Any) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return f"'{VALUE}'" if getattr(part, "conversion", -1) == ord("r") else VALUE
