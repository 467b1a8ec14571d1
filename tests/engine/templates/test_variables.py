"""A template knows its required variables, and values are checked before anything is stored."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.templates import variables
from tests import fuzz
from tests.engine.templates.conftest import PlainLinks, Write


def faults(template: object, **values: object) -> list[str]:
    return [f"{fault.field}: {fault.message}" for fault in template.check(values)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "required"),
    [
        ("{{ a }} {{ b.c }}", "a b"),
        ("{{ a|default('x') }} {{ b|d('x', true)|upper }}", ""),
        ("{{ a|default(b) }}", "b"),
        ("{{ a|default('x') }} {{ a }}", "a"),
        ("{% if a is defined %}{{ a }}{% endif %}", ""),
        ("{% if a is defined and a %}{{ a }}{{ b }}{% endif %}", "b"),
        ("{% if a is undefined %}{{ b }}{% else %}{{ a }}{% endif %}", "b"),
        ("{% if not a is defined %}x{% else %}{{ a }}{% endif %}", ""),
        ("{% if a is undefined or b is undefined %}x{% else %}{{ a ~ b }}{% endif %}", ""),
        ("{% if a is defined or b %}{{ a }}{% endif %}", "a b"),
        ("{% if a is not defined or a == 1 %}x{% endif %}", ""),
        ("{{ a if a is defined else b }}", "b"),
        ("{% if a %}x{% endif %}", "a"),
        ("{% for i in a %}{{ i }}{{ loop.index }}{% endfor %}{% set s = 1 %}{{ s }}", "a"),
        ("{% for i in range(3) %}{{ unsubscribe_url }}{% endfor %}", ""),
        ('<a href="{{ a }}">x</a>', "a"),
    ],
)
def test_a_variable_is_required_when_the_template_fails_without_it(write: Write, source: str, required: str) -> None:
    assert write(source).required == frozenset(required.split())


def test_all_missing_variables_are_named_at_once(write: Write) -> None:
    template = write("<p>{{ b }}{{ c|default(1) }}</p>", subject="{{ a }}", text="{{ d }}")
    named = [fault.split(":")[0] for fault in faults(template, x=1)]
    assert named == ["variables.a", "variables.b", "variables.d"]


@pytest.mark.parametrize(
    "breaks", ["a\nb", "a\rb", "a\r\nBcc: x@x.example", "a\x00", "\x7f", "\x85", "\u2028", "\ud800"]
)
def test_a_line_break_is_refused_in_a_variable_of_the_subject(write: Write, breaks: str) -> None:
    template = write("<p>{{ a }}{{ b }}</p>", subject="{{ a }}")
    assert [fault.split(":")[0] for fault in faults(template, a=breaks, b="x\ny")] == ["variables.a"]
    assert [fault.split(":")[0] for fault in faults(template, a=["x", {breaks: 1}], b=1)] == ["variables.a"]


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", ["\udfff"], {"k\x00": 1}, object(), {1: 2}, {1, 2}, b"x"])
def test_a_value_is_refused_when_no_email_can_contain_it(write: Write, addresses: PlainLinks, value: object) -> None:
    assert [fault.split(":")[0] for fault in faults(write("{{ a }}"), a="x", extra=value)] == ["variables.extra"]


def test_a_value_is_refused_when_it_is_nested_too_deep(write: Write) -> None:
    deep: object = 1
    for _ in range(variables.DEPTH_MAX + 1):
        deep = [deep]
    assert len(faults(write("x"), a=deep)) == 1
    for _ in range(100_000):
        deep = [deep]
    assert len(faults(write("x"), a=deep)) == 1


def test_variables_are_refused_when_they_are_too_long_together(write: Write) -> None:
    template = write("x")
    assert faults(template, a="ñ" * 32_000) == []
    assert [fault.split(":")[0] for fault in faults(template, a="ñ" * 20_000, b="ñ" * 20_000)] == ["variables"]


def test_a_trial_render_finds_faults_that_the_analysis_cannot(write: Write) -> None:
    template = write("{{ a.b.c }}{{ n + 1 }}")
    assert faults(template, a={"b": {"c": 1}}, n=1) == []
    assert faults(template, a={"b": {}}, n=1) == ["variables: lack 'c', which the template needs"]
    assert faults(template, a={"b": {"c": 1}}, n="secreto") == [
        "variables: cannot be rendered by this template (TypeError)"
    ]
    assert "secreto" not in str(faults(write("{{ {}[a] }}"), a="secreto"))
    assert "secreto" not in str(faults(write("{{ a|round }}"), a="secreto"))


def test_extra_variables_are_allowed(write: Write) -> None:
    assert faults(write("x"), anything=[1, 2.5, None, True, {"a": "\n"}]) == []


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4), st.text(max_size=9))
@settings(max_examples=fuzz.examples(30))
def test_the_shortcut_for_short_texts_finds_the_same_faults(texts: dict[str, str], named: str) -> None:
    asked = {"required": [named], "in_subject": [*texts][:1]}
    checked = {**texts, named + "…": 1}  # a number disables the shortcut
    assert variables.faults(texts, **asked) == variables.faults(checked, **asked)


@pytest.mark.parametrize("pair", [("\x01" * 10_922, ""), ("n", '"' * 32_764), ("n", "\U0001f600" * 16_382)])
def test_texts_are_too_long_by_their_size_as_json(pair: tuple[str, str]) -> None:
    name, value = pair
    [fault] = variables.faults({name: value}, required=(), in_subject=())
    assert "too long" in fault.message
    shorter = {name[12:] if value == "" else name: value[12:]}
    assert variables.faults(shorter, required=(), in_subject=()) == []


def test_names_of_empty_texts_count_for_the_size() -> None:
    names = {f"{number:04d}": "" for number in range(5_500)}  # 12 bytes each, 66,000 in all
    assert len(variables.faults(names, required=(), in_subject=())) == 1
