"""The Jinja environment of the pages renders as Jinja does."""

import pytest
from flask import Flask
from flask.templating import Environment as FlaskEnvironment
from markupsafe import Markup

import web
from web.pages.frame.rendering import Environment

TEXT = '<a href="x">&\'</a>'
VALUES = {
    "text": TEXT,
    "plain": "Núñez 🙂",
    "safe": Markup("<b>fett</b>"),
    "numbers": [0, -3, 12.5, True, None],
    "row": {"name": "<Ana>", "items": "a key that is a method's name", "none": None},
}


@pytest.fixture(scope="module")
def app() -> Flask:
    """The application with all routes."""
    return web.routed()


@pytest.mark.parametrize(
    "source",
    [
        "{{ text }}{{ plain }}{{ safe }}{% for each in numbers %}{{ each }},{% endfor %}",
        "{{ row.name }}{{ row['name'] }}{{ row.none }}{{ row.missing }}{{ row.items() | length }}{{ row['items'] }}",
        "{{ row.missing or 'nothing' }}{% if row.missing is defined %}defined{% endif %}{{ text.upper() }}",
        "{% macro show(it) %}<i>{{ it }}</i>{% endmacro %}{{ show(text) }}{{ show(safe) ~ text }}",
        "{% set kept %}{{ text }}{{ safe }}{% endset %}{{ kept }}{{ kept | upper }}{{ (kept ~ text) | length }}",
        "{{ text | safe }}{{ text | e }}{{ [text, safe] | join(' ') }}{{ '%s' | format(text) }}{{ text | urlencode }}",
    ],
)
def test_values_and_attributes_are_those_of_jinja(app: Flask, source: str) -> None:
    plain = FlaskEnvironment(app, autoescape=True)
    quick = Environment(app, autoescape=True)
    rendered = quick.from_string(source).render(VALUES)
    assert rendered == plain.from_string(source).render(VALUES)
    assert "<Ana>" not in rendered and "<a " not in rendered.replace(TEXT, "", source.count("| safe"))


def test_the_pages_are_rendered_by_it(app: Flask) -> None:
    assert type(app.jinja_env) is Environment
