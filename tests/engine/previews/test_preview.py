"""The preview of a template is what a reader would see, tracks nobody, and names what is wrong."""

from pathlib import Path

import pytest

from engine.messages import compose
from engine.previews import preview, values
from engine.templates.templates import CannotRender, Library
from tests.engine.templates.conftest import Write, write

__all__ = ["write"]


def _of(folder: Path, variables: dict[str, object] | None = None) -> preview.Preview:
    sender = compose.From("Lucía <l@cadencia.example>", None, "https://us.example")
    return preview.of(Library(folder, "https://us.example/").get("prueba"), variables or {}, sender)


def test_it_has_the_subject_the_line_beside_it_and_the_size(write: Write, tmp_path: Path) -> None:
    hidden = '<div style="display:none">El primer paso\u200c&nbsp;\u200c&nbsp;</div><style>p{color:red}</style>'
    write(f"<html><body>{hidden}<p>Hola, {{{{ nombre }}}}</p></body></html>", subject="Para  {{ nombre }}")
    shown = _of(tmp_path, {"nombre": "Ana"})
    assert (shown.subject, shown.inbox_line[:29]) == ("Para Ana", "El primer paso Hola, Ana ¿No ")
    assert shown.octets is not None and 1_000 < shown.octets < 3_000
    assert shown.faults == () and "Hola, Ana" in shown.text


def test_nothing_in_it_is_tracked(write: Write, tmp_path: Path) -> None:
    write('<a href="https://a.example/?x=1&amp;y=2">A</a> <a href="{{ unsubscribe_url }}">Baja</a>')
    html = preview.html(Library(tmp_path, "https://us.example/").get("prueba"), {}).decode()
    assert 'href="https://a.example/?x=1&amp;y=2"' in html and 'href="#unsubscribe"' in html
    assert "<img" not in html and "/c/" not in html and "us.example" not in html


def test_links_are_listed_and_the_doubtful_ones_marked(write: Write, tmp_path: Path) -> None:
    write(
        '<a href="https://a.example/">A</a><a href="http://b.example/">B</a><a href="mailto:c@d.example">C</a>'
        '<a href="{{ link }}">D</a><a data-no-track href="javascript:alert(1)">E</a>'
        '<a href="{{ unsubscribe_url }}">F</a>'
    )
    shown = _of(tmp_path, {"link": "javascript:alert(2)"})
    notes = [(link.words, link.note) for link in shown.links]
    assert notes == [("A", ""), ("B", "insecure"), ("C", ""), ("D", "nowhere"), ("E", "unsafe"), ("F", "unsubscribe")]
    assert [fault.field for fault in shown.faults] == ["variables.link"]


def test_pictures_of_other_servers_are_counted_and_links_bounded(write: Write, tmp_path: Path) -> None:
    write('<img src="https://a.example/p.png"><img src="data:,">' + '<a href="https://a.example/">A</a>' * 60)
    shown = _of(tmp_path)
    assert (shown.remote_pictures, len(shown.links)) == (1, preview.LINKS_MAX)
    assert shown.link_count == 61  # with the unsubscribe line


def test_a_template_that_makes_too_much_is_refused_with_the_reason(write: Write, tmp_path: Path) -> None:
    write("{% for each in range(1000) %}{% for other in range(1000) %}Hola{% endfor %}{% endfor %}")
    with pytest.raises(CannotRender, match="cannot be rendered"):
        _of(tmp_path)


def test_a_long_message_is_measured_with_its_tracked_links(write: Write, tmp_path: Path) -> None:
    write("".join(f'<a href="https://a.example/{number}">A</a>' for number in range(500)))
    shown = _of(tmp_path)
    assert shown.octets is not None and shown.octets > preview.CLIPPED_AT  # with plain ones 40 KB


def test_missing_variables_are_named_and_the_sample_stands_in(write: Write) -> None:
    template = write("{{ nombre }} {{ enlace }}", sample={"nombre": "Ana"})
    shown = values.sample(template)
    assert shown.missing == ("enlace",) and shown.variables == {"nombre": "Ana", "enlace": "«enlace»"}
