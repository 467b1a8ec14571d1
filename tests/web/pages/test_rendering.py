"""The Jinja environment of the pages renders as Jinja does."""

import pytest
from flask import Flask
from flask.templating import Environment as FlaskEnvironment
from jinja2 import pass_context, pass_eval_context
from markupsafe import Markup

import web
from web.pages.frame.rendering import Environment

TEXT = '<a href="x">&\'</a>'
VALUES = {
    "text": TEXT,
    "plain": "Núñez 🙂",
    "safe": Markup("<b>fett</b>"),
    "numbers": [0, -3, 12.5, True, None],
    "mark": lambda *names, **values: f"{names}{values}<",
    "in_context": pass_context(lambda context, name: context[name]),
    "escapes": pass_eval_context(lambda evaluation, name: f"{evaluation.autoescape}{name}"),
    "kind": str,
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
        "{{ mark(text, row, it=3) }}{{ kind(text) }}{{ in_context('text') }}{{ escapes('x') }}{{ text.strip() }}",
        "{% for each in [1, 2] %}{% set it = each %}{{ in_context('it') }}{{ mark(it) }}"
        "{{ loop.cycle('a', 'b') }}{% endfor %}",
        "{% macro around(it) %}<i>{{ it }}{{ caller(it) }}</i>{% endmacro %}"
        "{% call(x) around(text) %}{{ x }}{% endcall %}",
        "{% macro more(it, other='<') %}{{ it }}{{ other }}{{ varargs }}{{ kwargs }}{% endmacro %}"
        "{{ more(1, 2, 3, a=text) }}",
        "{% for each in [[1, [2]]] recursive %}{{ loop(each) if each is iterable else each }}{% endfor %}",
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
