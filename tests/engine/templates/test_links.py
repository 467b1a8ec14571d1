"""Links to the web are tracked, and their targets become ASCII."""

import pytest

from engine.templates import compiling, links
from tests.engine.templates.conftest import PlainLinks, Write

US = "https://us.example/c"


def hrefs(html: str) -> list[str]:
    return [part.partition('"')[0] for part in html.split('href="')[1:]]


@pytest.mark.parametrize(
    ("anchor", "href"),
    [
        ("<a href='https://a.example/?x=1&amp;y=2'>a</a>", f"{US}/0?https://a.example/?x=1&amp;y=2"),
        ('<a class="b" href="{{ v }}" title="a > b">a</a>', f"{US}/0?https://v.example/?a=1&amp;b=ñ"),
        ('<a href="https://x.example/{{ v|urlencode }}">a</a>', f"{US}/0?https://x.example/https%3A%2F%2Fv.example%2F%3Fa%3D1%26b%3D%C3%B1"),
        ('<a href="{% if v %}{{ v }}{% else %}https://z.example{% endif %}">a</a>', f"{US}/0?https://v.example/?a=1&amp;b=ñ"),
        ('<a href="mailto:a@a.example?subject=x">a</a>', "mailto:a@a.example?subject=x"),
        ('<a href="tel:+34600000000">a</a>', "tel:+34600000000"),
        ('<a href="#arriba">a</a>', "#arriba"),
        ('<a href="whatsapp://send?phone=34600000000">a</a>', "whatsapp://send?phone=34600000000"),
        ('<a href="webcal://c.example/{{ w }}.ics">a</a>', "webcal://c.example/x.ics"),
        ('<area shape="rect" coords="0,0,1,1" href="https://a.example" alt="x">', f"{US}/0?https://a.example"),
        ('<a href="{{ unsubscribe_url }}">a</a>', "https://us.example/u/token"),
        ('<a href="https://a.example" data-no-track>a</a>', "https://a.example"),
        ('<a href="{{ v }}" data-no-track>a</a>', "https://v.example/?a=1&amp;b=ñ"),
    ],
)  # fmt: skip
def test_a_link_is_tracked_when_its_target_is_a_web_address(
    write: Write, addresses: PlainLinks, anchor: str, href: str
) -> None:
    rendered = write(anchor).render({"v": "https://v.example/?a=1&b=ñ", "w": "x"}, addresses)
    assert hrefs(rendered.html)[0] == href
    assert "data-no-track" not in rendered.html


def test_the_text_has_the_addresses_of_the_html_it_is_derived_from(write: Write, addresses: PlainLinks) -> None:
    body = (
        '<p><a href="https://a.example/?x=1&amp;y=2">Uno</a>. <a href="{{ v }}"><b>Dos</b></a> '
        '<a href="{{ v }}">{{ v }}</a></p>'
    )
    text = write(body).render({"v": "https://v.example"}, addresses).text
    assert f"Uno <{US}/0?https://a.example/?x=1&y=2>. Dos <{US}/1?https://v.example>" in text
    assert f"https://v.example <{US}/2?https://v.example>" in text


def test_a_written_text_shares_the_numbers_of_the_html(write: Write, addresses: PlainLinks) -> None:
    template = write(
        '<a href="https://a.example/">a</a> <a href="{{ v }}">b</a>',
        text="Mira {{ v }}. O https://a.example/, o (https://c.example/{{ n }})"
        "{% if n %} https://d.example{% endif %}. {{ n }} {{ unsubscribe_url }}",
    )
    text = template.render({"v": "https://v.example", "n": 7}, addresses).text
    assert text == (
        f"Mira {US}/1?https://v.example. O {US}/0?https://a.example/, o ({US}/2?https://c.example/7)"
        f" {US}/3?https://d.example. 7 https://us.example/u/token\r\n"
    )


def test_a_button_for_outlook_is_tracked_as_the_link_for_others(write: Write, addresses: PlainLinks) -> None:
    """VML lies in conditional comments; an equal target has one number."""
    rendered = write(
        '<div><!--[if mso]><v:roundrect xmlns:v="urn:schemas-microsoft-com:vml" href="{{ v }}" arcsize="9%" stroke><b>'
        "Ya</b></v:roundrect><a href='https://b.example/?x=1&amp;y=2'>b</a><a href='{{ v }}' data-no-track>c</a>"
        '<![endif]--><!--[if !mso]><!--><a href="{{ v }}">Ya</a><!--<![endif]--><!-- <a href="/">old</a> --></div>'
    ).render({"v": "https://v.example/?a=1&b=2"}, addresses)
    tracked = f'href="{US}/0?https://v.example/?a=1&amp;b=2"'
    assert f'vml" {tracked} arcsize="9%" stroke><b>' in rendered.html
    assert f"<!--[if !mso]><!--><a {tracked}>Ya</a>" in rendered.html
    assert f"<a href='{US}/1?https://b.example/?x=1&amp;y=2'>" in rendered.html
    assert "<a href='https://v.example/?a=1&amp;b=2'>c</a>" in rendered.html
    assert '<!-- <a href="/">old</a> -->' in rendered.html
    assert rendered.text.startswith(f"Ya <{US}/0?https://v.example/?a=1&b=2>\r\n")


def test_a_bracket_belongs_to_the_address_that_opens_it(write: Write) -> None:
    class Marked(PlainLinks):
        unsubscribe = ""

        def clicked(self, _link: int, target: str) -> str:
            return f"{{{target}}}"

    text = (
        "Lee {https://a.example/wiki/Dash_(sign)} y ({https://b.example/solo}). «{https://c.example/q_(c)}», "
        "[{https://d.example}] <{https://e.example/b_(c)}>… {https://f.example/(x)/(y)}?!"
    )
    template = write("<p>x</p>", text=text.replace("{", "").replace("}", ""))
    assert template.render({}, Marked()).text == text + "\r\n"


@pytest.mark.parametrize(("chars", "fits"), [(2_048, True), (2_049, False)])
def test_a_target_that_is_too_long_is_named_with_its_length(write: Write, chars: int, fits: bool) -> None:
    template = write('<a href="https://a.example/?q={{ v|urlencode }}">a</a>')
    faults = template.check({"v": "ñ" * 337 + "x" * (chars - 337 * 6 - len("https://a.example/?q="))})
    assert [(fault.field, "has 2,049 characters" in fault.message) for fault in faults] == [("variables.v", True)][
        fits:
    ]
    anchor = f'<a href="https://a.example/?{"x" * (chars - len("https://a.example/?"))}">a</a>'
    if fits:
        write(anchor)
    else:
        with pytest.raises(compiling.BrokenTemplate, match=r"x…': has 2,049 characters, .* at most 2,048"):
            write(anchor)


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z"),
        ("  https://a.example ", "https://a.example"),
        ("https://ñandú.example/año?q=sí", "https://xn--and-6ma2c.example/a%C3%B1o?q=s%C3%AD"),
        ("https://u@ñandú.example:8443/", "https://u@xn--and-6ma2c.example:8443/"),
        ("https://a.example/dos palabras", "https://a.example/dos%20palabras"),
        ("https://a.example/ya%20escrito", "https://a.example/ya%20escrito"),
        ("https://" + "ñ" * 70 + ".example", None),
        ("sin esquema", None),
    ],
)
def test_an_address_becomes_ascii_when_it_can(written: str, target: str | None) -> None:
    assert links.web_target(written) == target
