"""The text part is derived from the HTML, or rendered from body.txt."""

import pytest

from tests.engine.templates.conftest import PlainLinks, Write


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<h1>Uno</h1><p>Dos <b>tres</b></p><p>Cuatro<br>cinco</p>", "Uno\n\nDos tres\n\nCuatro\ncinco"),
        ("<p>a</p>{% if x %}<p>b</p>{% endif %}<p>c</p>", "a\n\nb\n\nc"),
        ("<p>a</p>{% if not x %}<p>b</p>{% endif %}<p>c</p>", "a\n\nc"),
        ("<p>a</p>{% if not x %}<p>b</p>{% endif %}", "a"),
        ("<p>Hola{% if x %}, {{ x }}{% endif %}:</p>", "Hola, X & Y:"),
        ("<ul>{% for i in [1, 2] %}<li>{{ i }}</li>{% endfor %}</ul>", "  * 1\n  * 2"),
        (
            "<table>{% for i in [1, 2] %}<tr><td>{{ i }}</td><td>x</td></tr>{% endfor %}</table>"
            "<table><tr><td>a<td>b</table>",
            "1 x\n2 x\na  b",
        ),
        ("<div style='display: none'>oculto {{ x }}</div><p>a</p>", "a"),
        (
            "<table role='presentation'><tr><td>uno</td></tr>"
            "<tr><td><table><tr><td>a</td><td>b</td></tr></table></td></tr></table>",
            "uno\na  b",
        ),
        ("<p>{{ '{{' }} &#123;&#123; &lt;b&gt; &amp; €</p>", "{{ {{ <b> & €"),
        ("<a href='https://a.example'><img src='i.png' alt=''></a>", "https://us.example/c/0?https://a.example"),
        (
            "<a href='mailto:a@a.example'>a@a.example</a> <a href='mailto:b@a.example'>B</a>",
            "a@a.example B <b@a.example>",
        ),
        ("<a href='#x'>arriba</a>", "arriba"),
        (
            "<div style='max-height:0; overflow:hidden; opacity:0; font-size:1px'>Resumen&#847;&zwnj;&nbsp;</div>"
            "<div style='visibility:hidden'>b</div><p hidden>c</p><p style='opacity:0.5;max-height:0.5em'>d</p>",
            "d",
        ),
        (
            "<map name='m'><area href='https://a.example' alt='Uno'><area href='https://b.example' alt='Dos'></map>",
            "Uno <https://us.example/c/0?https://a.example> Dos <https://us.example/c/1?https://b.example>",
        ),
    ],
)  # fmt: skip
def test_html_becomes_text_when_there_is_no_body_txt(write: Write, addresses: PlainLinks, body: str, text: str) -> None:
    addresses.unsubscribe = ""
    assert write(body).render({"x": "X & Y"}, addresses).text == text.replace("\n", "\r\n") + "\r\n"


def test_a_body_txt_keeps_its_layout(write: Write, addresses: PlainLinks) -> None:
    addresses.unsubscribe = ""
    text = "Hola, {{ x }}:\n\n{% if x %}\nSí.\n{% endif %}\n\n    sangrado <b>\n\n\n"
    rendered = write("<p>otra cosa</p>", text=text).render({"x": "X & Y"}, addresses).text
    assert rendered == "Hola, X & Y:\r\n\r\nSí.\r\n\r\n    sangrado <b>\r\n"
