"""Each check finds its fault at the author's line, and nothing where there is none."""

from pathlib import Path
from time import process_time

import pytest

from engine.templates import checks
from engine.templates.checks import Severity
from engine.templates.sources import FolderParts, WrittenParts
from tests.engine.templates.checks.conftest import BODY_AT, Check

SHIPPED = Path(__file__).parents[4] / "email_templates"


def test_a_good_template_has_no_finding(check: Check) -> None:
    assert check() == []
    assert check("<mj-text>Hola, {{ nombre }}.</mj-text>", mjml=True) == []


@pytest.mark.parametrize("name", sorted(entry.name for entry in SHIPPED.iterdir() if (entry / "subject.txt").exists()))
def test_the_shipped_templates_have_no_finding(name: str) -> None:
    assert checks.of(name, FolderParts(SHIPPED / name)) == []


# A body with a fault in its second line, the code of the finding, words of its message and of its remedy.
FAULTS = [
    ("\n<p>a <b>b</p>", "unbalanced", "<b> is not closed before </p>", "put </b>"),
    ("\n</div>", "unbalanced", "</div> closes nothing", "remove it"),
    ("\n<div><p>a</div></p>", "unbalanced", "</p> closes nothing", "add <p>"),
    ("\n<p><div>a</div></p>", "unbalanced", "<div> has ended the paragraph", "in place of <p>"),
    ("\n<div/>x", "unbalanced", "does not close itself", "<div></div>"),
    ("\n<td>x</td>", "unbalanced", "not in a table", "<table>"),
    ("\n{% if nombre %}<div>{% endif %}", "unbalanced", "differ with the condition", "same elements"),
    ("\n" + "x" * 999, "long-line", "999 bytes", "break it"),
    ('\n<p style="position: absolute">x</p>', "dropped", "“position: absolute”", "tables"),
    ('\n<p style="display:flex">x</p>', "dropped", "Outlook for Windows drops", "tables"),
    ("\n<script>x</script>", "dropped", "<script>", "remove"),
    ("\n<form>x</form>", "dropped", "<form>", "link to a page"),
    ('\n<img src="https://a.example/x.png">', "alt", "<img> has no alt", "ornament"),
    ('\n<a href="http://a.example/" style="color: #00e">x</a>', "insecure", "“http://a.example/”", "https://"),
    ('\n<img alt="" src="http://a.example/x.png">', "insecure", "not encrypted", "https://"),
    ('\n<img alt="" src="x.png">', "picture", "“x.png”", "whole address"),
    ('\n<img alt="" src="data:image/png;base64,AA==">', "picture", "Gmail", "server"),
    ('\n<a href="#">x</a>', "link", "leads nowhere", "address"),
    ('\n<p style="color: #777">x</p>', "contrast", "#777777 on #ffffff has a contrast of 4.48", "write it in #"),
    ('\n<table bgcolor="#000"><tr><td>x</td></tr></table>', "contrast", "#000000 on #000000", "background"),
    ('\n<div style="background: gold"><p style="color: white">x</p></div>', "contrast", "#ffffff on #ffd700", ""),
    ('\n<div style="background: #123"><a href="https://a.example">x</a></div>', "contrast", "#0000ee on #112233", ""),
    ("\n{{ apelido|default('') }}", "variable", "'apelido' is not in sample.json", "did you mean apellido?"),
]


@pytest.mark.parametrize(("body", "code", "message", "remedy"), FAULTS)
def test_a_fault_is_found_at_its_line(check: Check, body: str, code: str, message: str, remedy: str) -> None:
    [finding] = check(body)
    assert (finding.part, finding.line, finding.code) == ("body.html", BODY_AT + 1, code)
    assert message in finding.message
    assert remedy in finding.remedy


SOUND = [
    "<ul><li>a<li>b</ul><p>c<p>d",
    "<table><tr><td>a<td>b<tr><td>c</table>",
    "{% if nombre %}<div class='a'>{% else %}<div>{% endif %}x</div>",
    "{% for i in [1] %}<p>{{ i }}</p>{% else %}<p>x</p>{% endfor %}",
    "<!--[if mso]><table><tr><td><![endif]-->x<!--[if mso]></td></tr></table><![endif]-->",
    "<style>.a { display: block; float: none; position: static }</style>",
    '<img alt="" src="https://a.example/x.png"><img alt="{{ nombre }}" src="{{ empresa }}">',
    '<a href="https://a.example/" style="color: #00e">x</a><a href="mailto:a@a.example">y</a>',
    '<p style="color: #767676">x</p>',
    '<div style="background: #000"><p style="color: #fff">x</p></div>',
    '<p style="color: {{ empresa }}">x</p><div style="background: {{ empresa }}; color: #fff">y</div>',
    '<p style="color: #fff; display: none">x</p><p style="font-size: 0; color: #fff">y</p>',
    '<div style="background: url(https://a.example/x.png)"><p style="color: #fff">x</p></div>',
    "{{ nombre }} {{ apellido }} {{ empresa }} {{ cargo }} {{ industria }} {{ brand_name }}",
    "{% set a = 1 %}{% for b in [a] %}{{ b }}{{ loop.index }}{% endfor %}",
]


@pytest.mark.parametrize("body", SOUND)
def test_a_sound_template_has_no_finding(check: Check, body: str) -> None:
    assert check(body) == []


@pytest.mark.parametrize(
    ("css", "code", "message"),
    [
        (".a { color: red;\n gap: 2px }", "dropped", "“gap: 2px”"),
        ("p::before {\n content: 'x' }", "dropped", "“p::before”"),
        ("\n@import url(https://a.example/x.css);", "dropped", "“@import"),
        ("\n.a { width: calc(1px + 2%) }", "dropped", "calc"),
        ("\n.a { /* flex */ margin: 2rem }", "dropped", "2rem"),
    ],
)
def test_css_that_is_dropped_is_found_in_its_line(check: Check, css: str, code: str, message: str) -> None:
    line = 5 + css[: css.index("gap") if "gap" in css else len(css)].count("\n") * ("gap" in css or css[0] == "\n")
    [finding] = check(css=css)
    assert (finding.part, finding.line, finding.code, finding.severity) == ("body.html", line, code, Severity.WARNING)
    assert message in finding.message


def test_contrast_is_that_after_the_styles_are_inlined_and_in_dark_mode(check: Check) -> None:
    [light] = check(css="p { color: #999 }")
    assert (light.line, light.code) == (BODY_AT, "contrast")
    dark = "p { color: #333 } @media (prefers-color-scheme: dark) { body { background: #222 !important } }"
    [first, *_] = check(css=dark)
    assert first.code == "contrast" and "#333333 on #222222" in first.message and "in dark mode" in first.message
    assert check(css="@media (prefers-color-scheme: dark) { body { background: #222 !important } "
                 "p, a { color: #eee !important } }") == []  # fmt: skip


def test_mjml_has_the_lines_of_its_author(check: Check) -> None:
    findings = check('<mj-text color="#999">x</mj-text>\n<mj-image src="http://a.example/x.png" />', mjml=True)
    assert [(each.part, each.line, each.code) for each in findings] == [
        ("body.mjml", 7, "contrast"),
        ("body.mjml", 8, "alt"),
        ("body.mjml", 8, "insecure"),
    ]


def test_a_fault_of_a_layout_is_found_in_the_layout(tmp_path: Path) -> None:
    folder = tmp_path / "prueba"
    folder.mkdir()
    sources = {"subject.txt": "Hola", "sample.json": "{}"}
    sources["body.html"] = '{% extends "_layout.html" %}\n{% block a %}\n<i>x</b>{% endblock %}'
    for name, source in sources.items():
        (folder / name).write_text(source)
    (tmp_path / "_layout.html").write_text(
        '<p hidden>x</p>\n<a href="{{ unsubscribe_url }}">\n{% block a %}{% endblock %}'
    )
    findings = [
        (each.part, each.line, each.message.partition(" ")[0]) for each in checks.of("prueba", FolderParts(folder))
    ]
    assert findings == [("_layout.html", 2, "<a>"), ("body.html", 3, "</b>"), ("body.html", 3, "<i>")]


def test_the_inbox_shows_subject_and_preheader(check: Check) -> None:
    assert [each.code for each in check(subject__txt="x" * 61)] == ["subject"]
    assert [each.code for each in check(subject__txt="x" * 60)] == []
    bare = '<p>Hola</p><a href="{{ unsubscribe_url }}">Baja</a>'
    assert [each.code for each in check(body__html=bare)] == ["preheader"]
    assert check(body__html=bare, preheader__txt="Antes") == []
    assert [each.code for each in check(body__html="<p hidden>Antes</p><p>Hola</p>")] == ["unsubscribe"]


def test_gmail_hides_the_end_of_a_long_e_mail(check: Check) -> None:
    line = "<p>" + "palabra " * 100 + "</p>\n"
    assert [each.code for each in check(line * 130)] == ["size"]


def test_body_txt_says_what_the_html_says(check: Check) -> None:
    words = " ".join(f"palabra{number}" for number in range(30))
    html = f'<p>{words}</p><a href="https://a.example/{{{{ nombre }}}}">Ir</a>'
    complete = f"{words}\nhttps://a.example/{{{{nombre}}}}\n{{{{ unsubscribe_url }}}}"
    assert check(html, body__txt=complete) == []
    [words_missing, link_missing] = sorted(check(html, body__txt="Hola {{ unsubscribe_url }}"), reverse=True)
    assert (words_missing.part, words_missing.code) == ("body.txt", "text")
    assert (link_missing.part, link_missing.line, link_missing.code) == ("body.html", BODY_AT, "text")


@pytest.mark.parametrize(
    ("name", "source", "line", "message"),
    [
        ("sample.json", '{\n"a": }', 2, "Expecting value"),
        ("body.html", "\n\n{% if %}", 3, "Expected an expression"),
        ("body.html", "<p>\n<p class={% if a %}", 2, "Unexpected end"),
        ("body.html", "<a href='javascript:x'>x</a>", 1, "cannot link"),
        ("body.mjml", "<mjml>\n<mj-x/></mjml>", 2, "mj-text"),
        ("subject.txt", "", 1, "has 0 characters"),
        ("body.html", "x" * 5_000_000, 1, "longer than 262144 bytes"),
    ],
)
def test_a_broken_template_says_where(check: Check, name: str, source: str, line: int, message: str) -> None:
    sources = {"subject.txt": "Hola", "sample.json": "{}", name: source}
    if "body.mjml" not in sources:
        sources.setdefault("body.html", "<p>x</p>")
    findings = [each for each in checks.of("p", WrittenParts(sources)) if each.code == "broken"]
    assert [(each.part.replace("body.html", "body"), each.line) for each in findings] == [
        (name.replace("body.html", "body"), line)
    ]
    assert message in findings[0].message or name == "body.mjml"


HOSTILE = {
    "nested": "<div>" * 20_000,
    "nested by tricks": '<a x=b="><b ="></ </b>' * 2_000,
    "unclosed formatting": "".join(f"<p><b id='{number}'>x" for number in range(2_000)),
    "unclosed quotes": '<a "' * 20_000,
    "many elements": "<p>x</p>" * 6_000,
    "a rule for each element": "<style>" + "".join(f"p:nth-child({n}) b {{color: red}}" for n in range(1_500))
    + "</style>" + "<p><b>x</b></p>" * 2_400,
    "deep selectors": "<style>" + "".join("div " * 50 + f"b{n} {{color: red}}" for n in range(500)) + "</style>"
    + "<div>" * 150 + "<b>x</b>" * 3_000 + "</div>" * 150,
    "a long word in a style": f'<p style="{"a" * 100_000}">x</p>',
    "media queries": "<style>" + "@media" * 15_000 + "</style>",
    "entities": "&amp" * 20_000,
    "comments": "<!--" * 20_000,
    "selectors within the bounds": "<style>" + "".join(f"p:has(~ i{n}) {{color: red}}" for n in range(350)) + "</style>"
    + "<p>x</p>" * 4_980,
    "a long declaration": "<style>p { background: url(" + "x" * 50_000 + ") }</style>" + "<p>x</p>" * 4_000,
}  # fmt: skip


@pytest.mark.speed
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_template_is_checked_or_refused_in_time(check: Check, kind: str) -> None:
    begun = process_time()
    findings = check(body__html=HOSTILE[kind])
    assert process_time() - begun < 2
    assert findings
