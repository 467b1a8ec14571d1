"""Variables that are declared safe pass the trial render; simple templates are recognised."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.templates import compiling, templates
from tests import fuzz
from tests.engine.templates.examples import COMPLEX, SIMPLE, TESTS, TEXTS, URLS, VALUES, template_folder

LINKS = st.sampled_from([
    '<a href="{{ url }}">x</a>', '<a href="https://b.example/?x=1&amp;y={{ b }}">x</a>', '<a href="{{ a }}">x</a>',
    '<a href="https://c.example/{{ a }}/{{ b }}">x</a>', '<a href="https://[d.example/">x</a>',
    '<a href="{{ not a }}">x</a>', '<a href="{{ maybe|default(\'https://e.example\') }}">x</a>',
    '<a href="{% if a %}{{ url }}{% endif %}">x</a>', '{% if a %}<a href="{{ url }}">x</a>{% endif %}',
    '<a href="https://d.example/&lt;{{ b }}">x</a>',
])  # fmt: skip
PIECES = st.one_of(
    SIMPLE.map("{{{{ {} }}}}".format),
    st.tuples(TESTS, SIMPLE).map(lambda two: f"{{% if {two[0]} %}}{{{{ {two[1]} }}}}{{% elif b %}}x{{% endif %}}"),
    LINKS,
    st.one_of(COMPLEX.map("{{{{ {} }}}}".format), st.just("{% for x in a %}{{ x }}{% endfor %}")),
)
TEXT_PIECES = st.sampled_from(
    ["{{ url }}", "https://[d.example/", "https://e.example/{{ b }}.", "&amp;{{ a }}", "{{ 1 // 0 }}"]
)
VARIABLES = st.fixed_dictionaries(
    {"a": st.one_of(TEXTS, VALUES, URLS), "b": TEXTS, "url": URLS},
    optional={"maybe": TEXTS, "self": TEXTS, "_links": TEXTS},
)


@settings(max_examples=fuzz.examples(40), deadline=None)
@given(
    st.lists(PIECES, max_size=3).map(" ".join),
    st.none() | st.lists(TEXT_PIECES, max_size=2).map(" ".join),
    st.lists(VARIABLES | VARIABLES.map(lambda some: {**some, "url": "https://a.example"}), min_size=1, max_size=5),
)
def test_safe_variables_pass_the_trial_render(body: str, text: str | None, several: list[dict[str, object]]) -> None:
    with template_folder(f"<p>{body}</p>", text=text) as folder:
        try:
            compiled = compiling.compile_folder(folder)
        except compiling.BrokenTemplate:
            return
    tried = templates.Template("any", replace(compiled, safe_variables=None))
    for variables in several:
        assert templates.Template("any", compiled).check(variables) == tried.check(variables)


@pytest.mark.parametrize("source", [
    "{{ a }}", "{{ a|default('x') }}", "{{ a|d('x', true) }}", "{{ a if b else 'x' }}", "{{ a or b }}", "{{ not a }}",
    "{% if a is defined and not b %}{{ a }}{% elif b %}x{% else %}{{ b }}{% endif %}", "{{ '{' }}",
    '<a href="{% if a %}{{ b }}{% else %}https://a.example{% endif %}">x</a>',
])  # fmt: skip
def test_a_template_is_simple_when_it_only_prints_and_tests(source: str) -> None:
    assert compiled(source).is_simple


@pytest.mark.parametrize("source", [
    "{{ a|upper }}", "{{ a[3] }}", "{% for each in a %}{{ each }}{% endfor %}", "{{ self }}",
    "{{ a ~ b }}", "{{ a if b }}", "{{ a|default(b) }}", "{{ a|default(*b) }}", "{{ a|default(default_value='x') }}",
    "{% set c = a %}{{ c }}", "{{ 7 }}", "{% if a == b %}x{% endif %}", "{{ 'x\x01' }}", "\x02{{ a }}\x03",
    "{% filter upper %}x{% endfilter %}", "{{ a is string }}", "{{ a.b is defined }}",
])  # fmt: skip
def test_a_template_is_not_simple_when_it_does_more(source: str) -> None:
    assert not compiled(source).is_simple
    assert compiled(source).safe_variables is None


@pytest.mark.parametrize(
    ("body", "has_safe_variables"),
    [
        ('{% if a %}{{ a }}{% endif %}<a href="{{ url }}">x</a><a href="https://b.example">y</a>', True),
        ('<a href="https://b.example/{{ a }}">x</a>', True),
        ("{{ a|default('x') }}", True),
        ('<a href="{{ a }}{{ url }}">x</a>', False),
        ('<a href="{{ not a }}">x</a>', False),
        ("<a href=\"{{ a|default('https://a.example') }}\">x</a>", False),
        ('{% if a is defined %}<a href="{{ a }}">x</a>{% endif %}', False),
    ],
)
def test_a_link_target_must_end_in_one_required_variable(body: str, has_safe_variables: bool) -> None:
    assert (compiled(body).safe_variables is not None) == has_safe_variables


@pytest.mark.parametrize(
    ("variables", "is_safe"),
    [
        ({"a": "Ana", "url": "https://a.example/"}, True),
        ({"a": "Ana", "url": "https://a.example/?x=1&y=2&lt='3'"}, True),
        ({"a": "Ana", "url": "javascript:x"}, False),
        ({"a": "Ana\n", "url": "https://a.example/"}, False),
        ({"a": 7, "url": "https://a.example/"}, False),
        ({"a": "x" * 10_000, "url": "https://a.example/"}, True),
        ({"a": "x" * 12_000, "url": "https://a.example/"}, False),
        ({"url": "https://a.example/"}, False),
    ],
)
def test_only_short_lines_and_plain_addresses_are_safe(variables: dict[str, object], is_safe: bool) -> None:
    safe = compiled('{{ a }}<a href="{{ url }}">x</a>').safe_variables
    assert safe is not None
    assert safe.include(variables) == is_safe


@pytest.mark.parametrize("source", ["{{ a }}" * 200, "x" * 120_000 + "{{ a }}" * 80])
def test_variables_must_be_shorter_when_the_template_is_longer(source: str) -> None:
    safe = compiled(source).safe_variables
    assert safe is not None
    assert not safe.include({"a": "&" * 1_000})
    assert safe.include({"a": "&" * 400})


def compiled(body: str) -> compiling.Compiled:
    with template_folder(body) as folder:
        return compiling.compile_folder(folder)
