"""The library finds its templates; the three shipped templates read well."""

import re
import threading
from pathlib import Path

import html5lib
import pytest

import errors
from engine.templates import compiling, templates
from engine.templates.brand import Brand
from tests.engine.templates.conftest import PlainLinks, Write

FOLDER = Path(__file__).parents[3] / "email_templates"
LIBRARY = templates.Library(FOLDER)
THREE = ["email_1_roi", "email_2_caso", "email_3_ultima_llamada"]
STARTERS = [*THREE, "email_1_roi_en", "email_2_case_study_en", "email_3_last_call_en", "carta_es", "letter_en"]


def test_the_library_lists_its_templates_sorted() -> None:
    assert [name for name in LIBRARY.names() if name in THREE] == THREE


@pytest.mark.parametrize(
    "name", ["", "nope", "../email_1_roi", "_layout.html", "email_1_roi/", "EMAIL_1_ROI", "a" * 51]
)
def test_an_unknown_template_is_refused_with_the_existing_names(name: str) -> None:
    with pytest.raises(templates.UnknownTemplate, match="email_1_roi, email_1_roi_en") as refused:
        LIBRARY.get(name)
    assert isinstance(refused.value, errors.InvalidInput)
    assert [fault.field for fault in refused.value.faults] == ["template"]


def test_a_template_is_compiled_once(write: Write, tmp_path: Path) -> None:
    write("<p>x</p>")
    library = templates.Library(tmp_path)
    assert library.get("prueba") is library.get("prueba")


def test_a_template_without_a_sample_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "subject.txt").write_text("x")
    (tmp_path / "a" / "body.html").write_text("x")
    with pytest.raises(compiling.BrokenTemplate, match=r"sample\.json"):
        templates.Library(tmp_path).get("a")


def test_the_source_of_a_subject_is_one_line(write: Write) -> None:
    assert write("x", subject="Hola,\n  {{ a }}\n").subject_source == "Hola, {{ a }}"


@pytest.mark.parametrize("name", THREE)
def test_the_shipped_templates_require_the_same_three_variables(name: str) -> None:
    template = LIBRARY.get(name)
    assert template.required == {"nombre", "industria", "link_calendly"}
    assert template.check(template.sample) == []


@pytest.mark.parametrize("name", STARTERS)
@pytest.mark.parametrize("nothing", ["", None])
def test_the_shipped_templates_read_well_when_variables_are_empty(
    name: str, nothing: str | None, addresses: PlainLinks
) -> None:
    known = {"nombre": nothing, "industria": nothing, "empresa": nothing, "link_calendly": "https://agenda.example/x"}
    assert LIBRARY.get(name).check(known) == []
    rendered = LIBRARY.get(name).render(known, addresses)
    assert rendered.subject[0].isupper()
    for words in (rendered.text, rendered.subject):
        assert "None" not in words
        assert not any(slip in words for slip in (" ,", " :", " .", "  ?", " en.", " en:", " para:"))


@pytest.mark.parametrize("name", THREE)
def test_the_shipped_templates_are_light_and_dark_and_fetch_nothing(name: str, addresses: PlainLinks) -> None:
    template = LIBRARY.get(name)
    html = template.render(template.sample, addresses).html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media (max-width: 480px)" in html
    assert 'name="viewport"' in html
    assert "/u/token" in html
    assert html.count("href=") == html.count('href="https://us.example/')
    assert html.count("src=") == html.count('src="https://us.example/') == 1
    assert not any(foreign in html for foreign in ("url(", "@import", "<link", "<script"))
    assert len(html) < 8_000


@pytest.mark.parametrize("name", THREE)
def test_the_shipped_templates_name_the_brand_and_have_one_voice(name: str, addresses: PlainLinks) -> None:
    ronda = Brand("Ronda", "Calle Mayor 1, Madrid", "ayuda@ronda.example", "#ffcc00", "https://ronda.example/l.png")
    template = templates.Library(FOLDER, sender=ronda).get(name)
    marketing = template.render({**template.sample, "remitente": ""}, addresses)
    addresses.unsubscribe = ""
    transactional = template.render(template.sample, addresses)
    for part in (*marketing[1:], *transactional[1:]):
        assert all(shown in part for shown in (ronda.name, ronda.address, ronda.support))
    assert "Un saludo,\r\nEl equipo de Ronda" in marketing.text
    assert transactional.text.endswith("Ronda\r\nCalle Mayor 1, Madrid\r\nayuda@ronda.example\r\n")
    assert "Cadencia" not in marketing.subject + marketing.html + marketing.text
    assert not re.search(r"\b(usted|ustedes|yo|mi|mis|me|conmigo)\b", marketing.text, re.IGNORECASE)


@pytest.mark.parametrize("name", THREE)
def test_the_shipped_buttons_have_a_shape_for_outlook_and_the_preheader_is_hidden(
    name: str, addresses: PlainLinks
) -> None:
    rendered = LIBRARY.get(name).render(LIBRARY.get(name).sample, addresses)
    [shape, link] = re.findall(r'<(v:roundrect|a) [^>]*href="(https://us.example/c/0[^"]*)"', rendered.html)
    assert (shape[0], link[0], shape[1]) == ("v:roundrect", "a", link[1])
    [preheader] = re.findall(r'mso-hide:all">(.+?)</div>', rendered.html)
    assert preheader not in rendered.text


def test_every_shipped_template_is_valid_html_in_its_language(addresses: PlainLinks) -> None:
    addresses.pixel = "https://us.example/o"
    for name in LIBRARY.names():
        template = LIBRARY.get(name)
        html5lib.HTMLParser(strict=True).parse(template.render(template.sample, addresses).html)
        assert template.language == ("en" if name.endswith("_en") else "es")


def test_one_template_serves_many_threads_at_once() -> None:
    template = LIBRARY.get("email_1_roi")
    seen: dict[int, bool] = {}

    def render(number: int) -> None:
        variables = {**template.sample, "nombre": f"N{number}"}
        words = [template.render(variables, PlainLinks()).subject for _ in range(30)]
        seen[number] = set(words) == {f"N{number}, lo que cuesta no hacer seguimiento en Marketing"}

    threads = [threading.Thread(target=render, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == dict.fromkeys(range(8), True)
