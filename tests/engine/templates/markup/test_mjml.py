"""MJML becomes HTML in which no code is dropped or misplaced, and faults name file and line."""

from pathlib import Path
from typing import Any

import pytest

from engine.templates import compiling, templates
from engine.templates.sources import WrittenParts
from tests.engine.templates.conftest import PlainLinks

SHELL = '<mjml lang="es">\n<mj-head>{head}</mj-head>\n<mj-body>\n{body}\n</mj-body></mjml>'
COLUMN = "<mj-section><mj-column>\n{}\n</mj-column></mj-section>"


def compiled(body: str, head: str = "", *, within: str = "{}") -> templates.Template:
    source = SHELL.format(head=head, body=within.format(body))
    return templates.Template("prueba", compiling.compile_parts("prueba", parts_of(source)))


def parts_of(body: str, **more: str) -> WrittenParts:
    return WrittenParts({"subject.txt": "Asunto", "body.mjml": body, "sample.json": "{}"} | {"body.txt": "x", **more})


# Every place in which code may stand, with what it prints once compiled.
PLACES: list[tuple[str, str, dict[str, Any], str]] = [
    ("", COLUMN.format("<mj-text>Di {{ a }}: <b>{{ b }}</b></mj-text>"), {"a": "É<", "b": 1}, ">Di É&lt;: <b>1</b>"),
    ("", COLUMN.format('<mj-button href="{{ a }}">Ir {{ b }}</mj-button>'), {"a": "https://a.example", "b": "ya"},
     'href="https://us.example/c/0?https://a.example"'),
    ("", COLUMN.format('<mj-image src="{{ a }}" alt="é \\ {{ b }}" />'), {"a": "https://a.example/x.png", "b": "👩‍💻"},
     'alt="é \\ 👩‍💻"'),
    ("", COLUMN.format('<mj-text color="{{ a }}">x</mj-text>'), {"a": "#123456"}, "color:#123456;"),
    ("", COLUMN.format("<mj-text><i title='di \"{{ a }}\"'>x</i></mj-text>"), {"a": "sí"}, 'title="di &quot;sí&quot;"'),
    ("", COLUMN.format("<mj-raw><tr><td>{{ a }}</td></tr></mj-raw>"), {"a": "crudo"}, ">crudo</td>"),
    ("", COLUMN.format("<mj-table><tbody>{% for i in a %}<tr><td>f{{ i }}</td></tr>{% endfor %}</tbody></mj-table>"),
     {"a": [1, 2]}, ">f2</td></tr></tbody>"),
    ("<mj-title>{{ a }}</mj-title>", "", {"a": "Título"}, "<title>Título</title>"),
    ("<mj-preview>{% if a %}{{ a }}{% endif %}</mj-preview>", "", {"a": "Antes"}, ">Antes</div>"),
    ("<mj-style>p { color: {{ a }} }</mj-style>", COLUMN.format("<mj-text><p>x</p><p>y</p></mj-text>"), {"a": "#abc"},
     'color: #abc;">y</p>'),
    ("<mj-style inline='inline'>.k { color: {{ a }} }</mj-style>",
     COLUMN.format('<mj-text><b class="k">x</b></mj-text>'), {"a": "red"}, '<b class="k" style="color: red'),
    ("<mj-style>@media (prefers-color-scheme: dark) { p { color: {{ a }} !important } }</mj-style>", "", {"a": "#fff"},
     "p { color: #fff !important }"),
    ('<mj-attributes><mj-text color="{{ a }}" /></mj-attributes>',
     COLUMN.format("<mj-text>x</mj-text><mj-text>y</mj-text>"), {"a": "#123"}, 'color:#123;">y'),
    ("", '<mj-section background-url="{{ a }}"><mj-column></mj-column></mj-section>', {"a": "https://a.example/b.png"},
     '<v:fill position="0.5, 0" origin="0.5, 0" src="https://a.example/b.png"'),
]  # fmt: skip


@pytest.mark.parametrize(("head", "body", "values", "shown"), PLACES)
def test_code_is_kept_wherever_it_may_stand(
    head: str, body: str, values: dict[str, Any], shown: str, addresses: PlainLinks
) -> None:
    html = compiled(body, head).render(values, addresses).html
    assert shown in html
    assert "\\u{" not in html and "\ue000" not in html


@pytest.mark.parametrize("around", ["section", "column", "in a wrapper", "element"])
def test_a_condition_around_an_element_keeps_or_drops_all_of_it(around: str, addresses: PlainLinks) -> None:
    text = "<mj-text>dentro</mj-text>"
    column = f"<mj-column>{text}</mj-column>"
    section = f"<mj-section>{column}</mj-section>"
    body = {
        "section": f"{{% if a %}}{section}{{% endif %}}{section}",
        "column": f"<mj-section>{{% if a %}}{column}{{% endif %}}{column}</mj-section>",
        "in a wrapper": f"<mj-wrapper>{{% if a %}}{section}{{% endif %}}{section}</mj-wrapper>",
        "element": f"<mj-section><mj-column>{{% if a %}}{text}{{% endif %}}{text}</mj-column></mj-section>",
    }[around]
    template = compiled(body)
    for a, times in ((1, 2), (0, 1)):
        html = template.render({"a": a}, addresses).html
        assert html.count("dentro") == times
        for tag in ("table", "tr", "td", "div"):  # also those in conditional comments
            assert html.count(f"<{tag}") == html.count(f"</{tag}>")
        shown = html.partition("<body")[2]
        assert shown.count("<!--[if") == shown.count("<![endif]-->")


def test_mjml_is_inlined_tracked_and_fetches_nothing(addresses: PlainLinks) -> None:
    html = compiled(COLUMN.format('<mj-button href="https://a.example/?x=1&amp;y=2">Ir</mj-button>')).render(
        {}, addresses
    )
    assert 'href="https://us.example/c/0?https://a.example/?x=1&amp;y=2"' in html.html
    assert "/u/token" in html.html and "/o/pixel.gif" in html.html and 'lang="es"' in html.html
    assert "fonts.googleapis" not in html.html and "@import" not in html.html and "<link" not in html.html


def test_the_text_is_derived_from_the_mjml(addresses: PlainLinks) -> None:
    body = COLUMN.format('<mj-text><p>Hola, {{ a }}</p></mj-text><mj-button href="https://a.example">Ir</mj-button>')
    sources = {"subject.txt": "A", "sample.json": "{}", "body.mjml": SHELL.format(head="", body=body)}
    template = templates.Template("p", compiling.compile_parts("p", WrittenParts(sources)))
    text = template.render({"a": "Ana"}, addresses).text
    assert text.startswith("Hola, Ana\r\n\r\nIr <https://us.example/c/0?https://a.example>\r\n")


def test_mjml_may_extend_a_layout_of_the_folder(tmp_path: Path, addresses: PlainLinks) -> None:
    (tmp_path / "_layout.mjml").write_text(SHELL.format(head="", body=COLUMN.format("{% block a %}{% endblock %}")))
    folder = tmp_path / "prueba"
    folder.mkdir()
    for name, source in {"subject.txt": "A", "sample.json": "{}"}.items():
        (folder / name).write_text(source)
    (folder / "body.mjml").write_text('{% extends "_layout.mjml" %}{% block a %}<mj-text>Hola</mj-text>{% endblock %}')
    assert ">Hola</div>" in templates.Library(tmp_path).get("prueba").render({}, addresses).html
    (folder / "body.html").write_text("x")
    with pytest.raises(compiling.BrokenTemplate, match=r"body\.mjml: there is a body\.html"):
        compiling.compile_folder(folder)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (COLUMN.format("<mj-text>&foo;</mj-text>"), "line 5: &foo; is no character"),
        (COLUMN.format("<mj-text><p>x</mj-text>"), "line 5: <p> is not closed before </mj-text>"),
        (COLUMN.format("<mj-text><a href=x>y</a></mj-text>"), "line 5: <a>: href needs a value in quotes"),
        (COLUMN.format("<mj-text><![CDATA[x]]></mj-text>"), "line 5: declarations"),
        (COLUMN.format("{{ a }}"), "line 5: a value cannot stand directly in <mj-column>"),
        (COLUMN.format("\nx"), "line 6: text cannot stand directly in <mj-column>"),
        (COLUMN.format("<p>x</p>"), "line 5: <p> cannot stand directly"),
        (COLUMN.format("<mj-include path='/etc/passwd' />"), "line 5: <mj-include>: no file is read"),
        (COLUMN.format("<mj-carousel></mj-carousel>"), "line 5: <mj-carousel>"),
        (COLUMN.format("<mj-txt>x</mj-txt>"), "line 5: <mj-txt>: .*did you mean mj-text"),
        (COLUMN.format("<MJ-TEXT>x</MJ-TEXT>"), "line 5: <mj-text> must be written in lower case"),
        (COLUMN.format("<mj-social>{% if a %}<mj-social-element />{% endif %}</mj-social>"), "line 5: code"),
        (COLUMN.format("<mj-text>" + "<div>" * 300 + "</div>" * 300 + "</mj-text>"), "line 5: .*deeper than 200"),
        (COLUMN.format("<mj-image width='{{ a }}' src='x' />"), "line 5: this code was lost"),
        ("{% if a %}<mj-section>{% endif %}</mj-section>", "line 4: the elements left open differ"),
        ("<mj-section>", "line 4: <mj-section> is not closed before </mj-body>"),
    ],
)
def test_a_fault_names_file_and_line(body: str, complaint: str) -> None:
    with pytest.raises(compiling.BrokenTemplate, match=rf"body\.mjml {complaint}"):
        compiled(body)


@pytest.mark.parametrize(
    "source",
    ["", "hola", "<html></html>", "<mjml>", "<mjml></mjml><mjml></mjml>", "<mjml><mj-body>x</mj-body></mjml>",
     '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><mjml><mj-body></mj-body></mjml>', "<mjml><mj-body a=",
     "<mjml><!--", "{{ a }}<mjml></mjml>", "<mjml>" + "<mj-wrapper>" * 20_000],
)  # fmt: skip
def test_invalid_mjml_is_refused(source: str) -> None:
    with pytest.raises(compiling.BrokenTemplate, match=r"body\.mjml"):
        compiling.compile_parts("prueba", parts_of(source))
