"""Templates and pages name the brand; its colours can be read on light and dark backgrounds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import settings
from engine.templates import brand, templates
from engine.templates.brand import Brand
from tests.conftest import TEST_ENVIRONMENT, environment
from tests.engine.templates.conftest import PlainLinks, Write

RONDA = Brand(
    "Ronda & Hijos", "C/ Mayor 1, 28013 Madrid", "ayuda@ronda.example", "#ffcc00", "https://ronda.example/l.png"
)
GOOD = {**TEST_ENVIRONMENT, "DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/cadencia"}


@pytest.fixture
def library(write: Write, tmp_path: Path) -> templates.Library:
    write(
        "<html><head><style>p { color: {{ brand_color }} }</style></head><body>"
        "<p title='{{ brand_name }}'>{{ brand_name }}{% if brand_logo_url and a %} {{ brand_name|upper }}{% endif %}"
        "{% if not brand_address %}nowhere{% endif %}</p></body></html>",
        subject="{{ brand_name }}: {{ a }}",
        text="{{ brand_name }} {{ a.brand_name|default('-') }} {{ 'brand_name' }} {{ brand_address }}",
    )
    return templates.Library(tmp_path, sender=RONDA)


def test_the_variables_of_the_brand_are_fixed_when_a_template_is_compiled(
    library: templates.Library, addresses: PlainLinks
) -> None:
    template = library.get("prueba")
    assert template.required == {"a"}
    assert not template.optional
    rendered = template.render({"a": "x", "brand_name": "otra"}, addresses)
    assert rendered.subject == "Ronda & Hijos: x"
    shown = 'title="Ronda &amp; Hijos" style="color: #ffcc00;">Ronda &amp; Hijos RONDA &amp; HIJOS</p>'
    assert shown in rendered.html.replace("&#38;", "&amp;")
    assert rendered.text.startswith("Ronda & Hijos - brand_name C/ Mayor 1, 28013 Madrid")


def test_an_added_unsubscribe_line_names_the_brand_and_its_address(
    library: templates.Library, addresses: PlainLinks
) -> None:
    rendered = library.get("prueba").render({"a": "x"}, addresses)
    assert "Ronda &amp; Hijos, C/ Mayor 1, 28013 Madrid<br>¿No quieres" in rendered.html
    assert "--\r\nRonda & Hijos, C/ Mayor 1, 28013 Madrid\r\n¿No quieres" in rendered.text


@given(st.integers(0, 0xFFFFFF).map("#{:06x}".format))
def test_any_colour_can_be_read(color: str) -> None:
    one = Brand("x", color=color)
    values = one.variables()
    assert brand.contrast(values["brand_on_color"], color) >= 4.5
    assert brand.contrast(values["brand_on_dark_color"], values["brand_dark_color"]) >= 4.5
    assert brand.contrast(values["brand_link_color"], "#eef1f4") >= 4.5
    assert brand.contrast(values["brand_dark_color"], "#1b232c") >= 4.5


def test_a_colour_that_can_be_read_stays() -> None:
    assert Brand("x", color="#0b6b62").link_color == "#0b6b62"
    assert brand.contrast("#ffffff", "#000000") == pytest.approx(21)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"BRAND_NAME": " Ronda  e Hijos "}, "Ronda e Hijos"),
        ({}, "Cadencia"),
        ({"MAIL_FROM": "hola@ronda.example"}, "ronda.example"),
    ],
)
def test_a_brand_without_a_name_has_that_of_the_sender(values: dict[str, str], name: str) -> None:
    with environment(**{**GOOD, "BRAND_COLOR": "FC0", **values}):
        of = brand.of(settings.load())
    assert (of.name, of.address, of.color) == (name, "", "#ffcc00")
