"""Compiling fills the layout, inlines the CSS and keeps the code."""

from pathlib import Path

import pytest

from engine.templates import compiling, templates
from engine.templates.brand import Brand
from tests.engine.templates.conftest import PlainLinks, Write

PAGE = "<!doctype html><html><head><style>{css}</style></head><body>{body}</body></html>"
PIXEL = '<img src="https://us.example/o/pixel.gif" width="1" height="1" alt="" style="display:block;border:0;">'


def html(template: templates.Template, addresses: PlainLinks, **values: object) -> str:
    rendered = template.render(values, addresses).html
    before, _, _ = rendered.partition('<p style="font-size:12px')
    return before.partition("<body>")[2].removesuffix(PIXEL + "</body></html>")


def test_a_hidden_link_is_only_in_the_html_and_only_if_configured(
    write: Write, tmp_path: Path, addresses: PlainLinks
) -> None:
    plain = write("<html><body>x</body></html>", text="y").render({}, addresses)
    hiding = templates.Library(tmp_path, "https://us.example/").get("prueba")
    link = (
        '<a href="https://us.example/c/65535?https://us.example/" style="display:none;" aria-hidden="true" '
        'tabindex="-1"></a>'
    )
    hidden = hiding.render({}, addresses)
    assert hidden.html == plain.html.replace("</body>", link + "</body>") != plain.html
    assert (hidden.text, hiding.check({})) == (plain.text, [])


def test_blocks_fill_the_layout_when_a_template_extends_it(write: Write, addresses: PlainLinks) -> None:
    template = write(
        '{% extends "_layout.html" %}{% block a %}A{{ x }}{% endblock %}'
        "{% block c %}<i>{{ super() }}</i>{% endblock %}",
        layout="<html><body>{% block a %}0{% endblock %}-{% block b %}1{% block d %}2{% endblock %}{% endblock %}-"
        "{% block c %}3{% endblock %}</body></html>",
    )
    assert html(template, addresses, x="é<") == "Aé&lt;-12-<i>3</i>"


def test_a_layout_may_extend_another(write: Write, tmp_path: Path, addresses: PlainLinks) -> None:
    (tmp_path / "_page.html").write_text("<html><body>[{% block main %}{% endblock %}]</body></html>")
    template = write(
        "{% extends '_layout.html' %}{% block main %}({{ super() }}){% endblock %}",
        layout="{% extends '_page.html' %}{% block main %}middle{% endblock %}",
    )
    assert html(template, addresses) == "[(middle)]"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{% extends '_layout.html' %}text beside", "only blocks"),
        ("{% extends '_layout.html' %}{% set a = 1 %}", "only blocks"),
        ("{% extends 'nowhere.html' %}", "nowhere.html"),
        ("{% extends '../../etc/passwd' %}", "parent folder"),
        ("{% extends name %}", "quotes"),
        ("{% extends '_layout.html' %}{% block a %}", "body.html line 1: .*endblock"),
        ("{% extends '_layout.html' %}\n\n{% block a %}\n{% if %}{% endblock %}", "body.html line 4"),
        ("{% extends 'body.html' %}", "layouts"),
        ("{{ super() }}{% if %}", "line"),
        ("<p {% if a %}class='b'{% endif %}>x</p>", "inside a tag"),
        ("<{{ tag }}>x", "tag's name"),
        ("<p>a</p>\n<style>\n.b { color: {{ color }} }</style>", "body.html line 3: this code was lost"),
        ("<div>" * 201, "body.html line 1: elements are nested deeper than 200"),
        ("\n<td><b></td>" * 21, "more than 20 tags do not fit"),
        ("<br>" * 5_001, "more than 5,000 elements"),
        ("<style>p { color: red }" + " " * 99_000 + "</style>" + "<p>x</p>" * 1_100, "bytes of CSS are too much"),
        ("<p>a</p>\n<a href='x", "body.html line 2: a tag has no end"),
        ("<style>a", "<style> has no end"),
        ("<p>\ue000</p>", "U[+]E000"),
        ("{% include 'x' %}", "Include"),
        ("{{ a|nofilter }}", "nofilter"),
        ("<a href='javascript:alert(1)'>x</a>", "cannot link"),
        ("<a href='JavaScript&#58;alert(1)'>x</a>", "cannot link"),
        ("<a href='java\tscript:alert(1)'>x</a>", "cannot link"),
        ("<!--[if mso]><a href='data:text/html,x'>x</a><![endif]-->", "cannot link"),
        ("<a href='/inicio'>x</a>", "cannot link"),
        ("<a href='//a.example'>x</a>", "cannot link"),
        ("<a href='https://'>x</a>", "not a web address"),
    ],
)
def test_a_template_is_refused_when_it_is_broken(write: Write, body: str, complaint: str) -> None:
    with pytest.raises(compiling.BrokenTemplate, match=complaint) as refused:
        write(body, layout="<p>{% block a %}{% endblock %}</p>")
    assert "'prueba'" in str(refused.value)


@pytest.mark.parametrize("subject", ["", " \n ", "x" * 256, "{{ a"])
def test_a_subject_is_refused_when_it_cannot_be_stored(write: Write, subject: str) -> None:
    with pytest.raises(compiling.BrokenTemplate):
        write("<p>x</p>", subject=subject)


def test_css_is_inlined_and_media_queries_stay(write: Write, addresses: PlainLinks) -> None:
    css = ".a { color: red } @media (prefers-color-scheme: dark) { .a { color: white !important } }"
    rendered = write(PAGE.format(css=css, body='<p class="a">{{ x }}</p>')).render({"x": 1}, addresses).html
    assert '<p class="a" style="color: red;">1</p>' in rendered
    assert "@media (prefers-color-scheme: dark) { .a { color: white !important } }" in rendered
    assert "color: red }" not in rendered


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (
            "<table><tbody>{% for i in [1, 2] %}<tr>{% if i > 1 %}<td>{{ i }}</td>{% endif %}</tr>{% endfor %}"
            "</tbody></table>",
            "<table><tbody><tr></tr><tr><td>2</td></tr></tbody></table>",
        ),
        (
            '<p style="color: {{ color }}" title="{{ t or \'"\' }} {% if a %}&amp;{% endif %}">x</p>',
            '<p style="color: red" title="&#34; &amp;">x</p>',
        ),
        ("<ul>{% for w in [1] %}<li>{{ w }}</li>{% endfor %}</ul>", "<ul><li>1</li></ul>"),
        ("<!--[if mso]><b>{{ color }}</b><![endif]-->", "<!--[if mso]><b>red</b><![endif]-->"),
        ("<title>{{ color }}</title><p>a</p>", "<title>red</title><p>a</p>"),
        ('<img src="https://img.example/{{ color }}.png">', '<img src="https://img.example/red.png">'),
        ("{% raw %}{{ not code }} {% nor this %}{% endraw %}", "{{ not code }} {% nor this %}"),
        ("&#123;&#123; not code &#125;} {&#37; x {&#35;", "{{ not code }} {% x {#"),
        ("&#123;{{ color }}&#125; <b title='&#123;{{ color }}'>x</b>", '{red} <b title="{red">x</b>'),
        ("{# nothing #}<p> {{- color -}} </p>", "<p>red</p>"),
        ("€ ñ &lt; &amp; &nbsp;", "€ ñ &lt; &amp; &nbsp;"),
    ],
)
def test_code_stays_in_place_when_css_is_inlined(write: Write, addresses: PlainLinks, body: str, result: str) -> None:
    template = write(PAGE.format(css="", body=body))
    assert html(template, addresses, color="red", t="", a=1) == result


def test_an_unsubscribe_line_is_added_when_the_template_has_none(write: Write, addresses: PlainLinks) -> None:
    rendered = write("<p>x</p>", text="x").render({}, addresses)
    assert 'href="https://us.example/u/token"' in rendered.html
    assert rendered.text.endswith("https://us.example/u/token\r\n")
    addresses.unsubscribe = ""
    rendered = write("<p>x</p>", text="x").render({}, addresses)
    assert "baja" not in rendered.html + rendered.text


def test_no_unsubscribe_line_is_added_when_the_template_has_one(write: Write, addresses: PlainLinks) -> None:
    rendered = write('<a href="{{ unsubscribe_url }}">Baja</a>').render({}, addresses)
    assert rendered.html.count("/u/token") == 1
    assert rendered.text == "Baja <https://us.example/u/token>\r\n"


def test_the_pixel_is_last_in_the_body(write: Write, addresses: PlainLinks) -> None:
    assert write("<p>x</p>").render({}, addresses).html.endswith(PIXEL + "</body></html>")


def test_a_preheader_is_hidden_at_the_start_of_the_body(write: Write, tmp_path: Path, addresses: PlainLinks) -> None:
    write("<html><body class='a'><p>{{ a }}</p></body></html>", sample={"a": "x"})
    (tmp_path / "prueba" / "preheader.txt").write_text("Sólo < hoy,\n {{ a }} & {{ brand_name }}\n")
    ronda = Brand("Ronda & Hijos")
    rendered = templates.Library(tmp_path, sender=ronda).get("prueba").render({"a": "<b>"}, addresses)
    line = "Sólo &lt; hoy, &lt;b&gt; &amp; Ronda &amp; Hijos&#847;&zwnj;&nbsp;"
    hidden = '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">'
    assert f'<body class="a">{hidden}{line}' in rendered.html
    assert rendered.text.startswith("<b>\r\n")


def test_a_fault_has_the_part_and_the_line_of_its_source(write: Write, tmp_path: Path) -> None:
    for file, written, line in (
        ("body.html", "<p>x</p>\n\n<p>{{ a|nofilter }}</p>", 3),
        ("body.txt", "x\n{{ a|nofilter }}", 2),
        ("preheader.txt", "{% include 'x' %}", 1),
    ):
        write("<p>x</p>", text="x")
        (tmp_path / "prueba" / file).write_text(written)
        with pytest.raises(compiling.BrokenTemplate) as broken:
            templates.Library(tmp_path).get("prueba")
        assert (broken.value.part, broken.value.line) == (file, line)
        assert f"{file} line {line}: " in str(broken.value)
        (tmp_path / "prueba" / file).unlink()
