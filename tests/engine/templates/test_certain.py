"""A mail that is taken without a trial rendering is one that the trial takes, too."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.templates import compiling, templates
from tests.engine.templates.test_plain_and_fast import TEXTS, URLS, VALUES, written

PIECES = st.sampled_from([
    "{{ a }}", "{{ b }}", "{{ missing }}", "{% if a %}{{ b }}{% else %}x{% endif %}",
    "{% if not (a and b) %}y{% endif %}",
    '<a href="{{ url }}">x</a>', '<a href="https://b.example/?x=1&amp;y={{ b }}">x</a>', '<a href="{{ a }}">x</a>',
    '<a href="https://c.example/{{ a }}/{{ b }}">x</a>', '<a href="https://[d.example/">x</a>', "{{ a|upper }}",
    '{% if a %}<a href="{{ url }}">x</a>{% endif %}', '<a href="https://d.example/&lt;{{ b }}">x</a>', "{{ self }}",
    "{% if unsubscribe_url %}{{ unsubscribe_url }}{% endif %}", "{% for x in a %}{{ x }}{% endfor %}",
])  # fmt: skip
TEXT_PIECES = st.sampled_from(
    ["{{ url }}", "https://[d.example/", "https://e.example/{{ b }}.", "&amp;{{ a }}", "{{ 1 // 0 }}"]
)
VARIABLES = st.fixed_dictionaries(
    {"a": st.one_of(VALUES, URLS), "url": URLS}, optional={"b": TEXTS, "missing": TEXTS, "self": TEXTS}
)


def compiled(folder: Path) -> tuple[templates.Template, templates.Template]:
    """The template in the folder, and the same as one that always tries."""
    made = compiling.compile_folder(folder)
    return templates.Template("any", made), templates.Template("any", replace(made, shape=None))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, max_size=3).map(" ".join), st.none() | st.lists(TEXT_PIECES, max_size=2).map(" ".join), VARIABLES
)
def test_what_is_taken_at_sight_is_taken_by_the_trial(
    body: str, text: str | None, variables: dict[str, object]
) -> None:
    with written(f"<p>{body}</p>", "S", text) as home:
        try:
            quick, thorough = compiled(home)
        except compiling.BrokenTemplate:
            return
        assert quick.check(variables) == thorough.check(variables)


@pytest.mark.parametrize(
    ("body", "is_seen"),
    [
        ('{% if a %}{{ a }}{% endif %}<a href="{{ url }}">x</a><a href="https://b.example">y</a>', True),
        ('<a href="https://b.example/{{ a }}">x</a>', True),
        ("{{ a|upper }}", False),
        ("{{ a[3] }}", False),
        ("{% for each in a %}{{ each }}{% endfor %}", False),
        ("{{ self }}", False),
        ('<a href="{{ a }}{{ url }}">x</a>', False),
    ],
)
def test_only_templates_that_print_and_ask_are_taken_at_sight(body: str, is_seen: bool) -> None:
    with written(f"<p>{body}</p>", "S", None) as home:
        assert (compiling.compile_folder(home).shape is not None) == is_seen


@pytest.mark.parametrize(
    ("variables", "is_taken"),
    [
        ({"a": "Ana", "url": "https://a.example/"}, True),
        ({"a": "Ana", "url": "https://a.example/?x=1&y=2"}, False),  # tried, for HTML writes it otherwise
        ({"a": "Ana", "url": "javascript:x"}, False),
        ({"a": "Ana\n", "url": "https://a.example/"}, False),
        ({"a": 7, "url": "https://a.example/"}, False),
        ({"a": "x" * 10_000, "url": "https://a.example/"}, True),
        ({"a": "x" * 12_000, "url": "https://a.example/"}, False),
        ({"url": "https://a.example/"}, False),
    ],
)
def test_only_short_lines_and_plain_addresses_are_taken_at_sight(variables: dict[str, object], is_taken: bool) -> None:
    with written('{{ a }}<a href="{{ url }}">x</a>', "S", None) as home:
        shape = compiling.compile_folder(home).shape
        assert shape is not None
        assert shape.takes(variables) == is_taken


def test_a_template_that_prints_a_variable_often_takes_shorter_ones() -> None:
    with written("{{ a }}" * 200, "S", "{{ a }}") as home:
        shape = compiling.compile_folder(home).shape
        assert shape is not None
        assert not shape.takes({"a": "x" * 1_000})
        assert shape.takes({"a": "x" * 400})
