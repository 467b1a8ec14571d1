"""A prerendered message has the same bytes as one that is rendered in full."""

from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.messages import compose, prerendered
from engine.templates import templates
from engine.tracking import tokens
from tests import fuzz
from tests.engine.templates.examples import SIMPLE, TESTS, template_folder

SIGNER = tokens.Signer([b"a tracking key of the tests"])
EMAIL = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SHIPPED = Path(__file__).parents[3] / "email_templates"
BENCHED = Path(__file__).parents[3] / "bench" / "templates"
URL = "https://mail.cadencia.example/a'b&c"

WORDS = st.text(st.sampled_from("ab &<>'\".=_-/é€😀;#ltamp"), max_size=12)
LONG = st.sampled_from(["x" * 300, "é" * 260, "'" * 200, "&" * 990, "y" * 998, "a b " * 400])
ODD = st.sampled_from(["\r\n", "a\nb", "\x020\x03", "\x00", " ", "  a ", "\u2028", "\x7f", 7, None, True, ["x"], 1.5])
URLS = st.one_of(
    WORDS.map("https://a.example/{}".format),
    st.sampled_from(["mailto:a@a.example", "javascript:x", "", "https://a.example/?x=1&y=2&lt=3", "HTTP://B.example"]),
    st.integers(380, 1_100).map(lambda size: "https://a.example/" + "p" * size),
)
VALUES = st.one_of(WORDS, WORDS, LONG, ODD, URLS)
VARIABLES = st.fixed_dictionaries(
    {"a": VALUES, "b": VALUES, "url": st.one_of(URLS, VALUES)},
    optional={"extra": VALUES, "maybe": st.one_of(VALUES, st.just(""))},
)

STATIC = st.text(st.sampled_from("ab.'\" é€\n"), max_size=20).map(lambda text: text.replace("<", "&lt;"))
PRINTS = st.one_of(SIMPLE.map("{{{{ {} }}}}".format), st.sampled_from(["{{ url }}", "{{ a }} {{ b }}", "{{ b|d(7) }}"]))
HREFS = st.sampled_from(
    ["{{ url }}", "{{ a }}", "https://b.example/?x=1&amp;y='", "https://c.example/?a=1&amp;u={{ a }}", "#x",
     "https://c.example/?a=1&{{ b }}", "https://d.example/{{ b }}", "{{ unsubscribe_url }}", "mailto:x@x.example",
     "{{ maybe|default('https://e.example/?x=1&y=2') }}", "{{ url if a else 'https://f.example' }}",
     "{% if a %}{{ url }}{% else %}https://g.example/{{ b }}{% endif %}", "{{ url or b }}"]
)  # fmt: skip
LEAVES = st.one_of(
    STATIC,
    PRINTS.map("<p>{}</p>\n".format),
    st.tuples(PRINTS, PRINTS).map(lambda two: f'<b title="{two[0]}">{two[1]}</b>'),
    HREFS.map(lambda href: f'<a href="{href}">x</a>'),
    st.just("\n.{{ b }}\n{{ a }}\n"),
    st.integers(900, 1_000).map(lambda size: "\n" + "z" * size + "{{ a }}\n"),
)
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.tuples(TESTS, inner, inner).map(
        lambda parts: f"{{% if {parts[0]} %}}{parts[1]}{{% else %}}{parts[2]}{{% endif %}}"
    ),
    max_leaves=4,
)
BODIES = st.lists(NESTED, max_size=5).map("".join).filter(str.strip)
TEXTS = st.one_of(st.none(), st.lists(st.one_of(STATIC, PRINTS, HREFS)).map(" ".join))
SUBJECTS = st.sampled_from(["S {{ b }}", "{% if a %}{{ a }}, {% endif %}x", "€ {{ a }} {{ b }}", "plain", "{{ a }}"])
RECIPIENTS = st.sampled_from(
    [("a@a.example", None), ("jos@é.example", "José"), ("josé@a.example", ""), ("a b", "x"), ("a@a.example", "A, \"B'")]
)


def email(
    variables: dict[str, Any], kind: str = "marketing", recipient: tuple[str, str | None] = ("a@a.example", None)
) -> compose.Email:
    return compose.Email(EMAIL, "1@cadencia.example", *recipient, "any", variables, kind)


def composer_of(folder: Path, url: str = "https://us.example") -> compose.Composer:
    library = templates.Library(folder, f"{url}/")
    return compose.Composer(library, SIGNER, compose.From("Lucía <l@cadencia.example>", None, url))


def outcome(composed: Any, one: compose.Email, *, eight_bit: bool) -> bytes | None:
    try:
        message = composed(one, now=NOW, eight_bit=eight_bit)
    except (compose.CannotCompose, templates.CannotRender, ValueError):
        return None
    return message.data if isinstance(message, prerendered.Composed) else message


@given(
    BODIES, TEXTS, SUBJECTS, st.lists(VARIABLES, min_size=1, max_size=6), RECIPIENTS,
    st.sampled_from(["marketing", "transactional"]), st.booleans(), st.sampled_from(["https://us.example", URL]),
)  # fmt: skip
@example("<p>x</p>", "x{{ a }}", "S", [{"a": "b "}, {"a": " "}], ("a@a.example", None), "marketing", True, URL)
@example("{{ a }}", "{{ a }}", "S", [{"a": "é"}, {"a": "e"}], ("a@a.example", None), "marketing", True, URL)
@settings(max_examples=fuzz.examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_prerendered_message_equals_the_rendered_one_for_any_template(
    body: str, text: str | None, subject: str, several: list[dict[str, Any]], recipient: tuple[str, str | None],
    kind: str, eight_bit: bool, url: str,
) -> None:  # fmt: skip
    with template_folder(body, subject, text) as folder:
        composer = composer_of(folder.parent, url)
        for variables in [*several, *several]:  # the second time from prerendered messages
            one = email(variables, kind, recipient)
            composed = outcome(composer.compose, one, eight_bit=eight_bit)
            if composed and composer.compose(one, now=NOW, eight_bit=eight_bit).has_no_dots:
                assert b"\n." not in composed
            assert composed == outcome(composer.render, one, eight_bit=eight_bit)


@pytest.mark.parametrize(
    ("folder", "name"),
    [(SHIPPED, name) for name in templates.Library(SHIPPED).names() if name != "signup_notice"]  # it has a loop
    + [(BENCHED, "email_1_bench")],
)
def test_the_templates_of_this_repository_are_prerendered(folder: Path, name: str) -> None:
    composer = composer_of(folder)
    one = email(dict(templates.Library(folder).get(name).sample))._replace(template=name)
    message = composer.fill(one, now=NOW, eight_bit=True)
    assert message is not None
    assert message.data == composer.render(one, now=NOW, eight_bit=True)


@pytest.mark.parametrize(
    ("body", "variables"),
    [
        ("{{ a|upper }}", {"a": "x"}),
        ("{% for x in a %}{{ x }}{% endfor %}", {"a": "x"}),
        ("{{ a }}", {"a": 7}),
        ("{{ a }}", {"a": "x\ny"}),
        ("{{ a }}" * 10, {"a": "y" * 100}),  # a line too long
        ('<a href="{{ a }}">x</a>', {"a": "https://x.example/é"}),
        ("\x02{{ a }}\x03", {"a": "x"}),
    ],
)
def test_an_email_is_rendered_when_more_than_its_placeholders_differs(body: str, variables: dict[str, Any]) -> None:
    with template_folder(body) as folder:
        composer = composer_of(folder.parent)
        assert composer.fill(email(variables), now=NOW, eight_bit=True) is None
        assert composer.compose(email(variables), now=NOW, eight_bit=True).data


@pytest.mark.parametrize(
    ("body", "value", "has_no_dots"),
    [
        ("<p>{{ a }}</p>", ".", True),
        ("x\n{{ a }}", "b.", True),
        ("x\n{{ a }}", ".b", False),
        ("x\n.{{ a }}", "b", False),
    ],
)
def test_a_message_says_when_no_line_begins_with_a_dot(body: str, value: str, has_no_dots: bool) -> None:
    with template_folder(body, text="x") as folder:
        message = composer_of(folder.parent).fill(email({"a": value}), now=NOW, eight_bit=True)
    assert message is not None
    assert message.has_no_dots is has_no_dots
    assert (b"\n." in message.data) is not has_no_dots


def test_a_template_is_prerendered_for_a_limited_number_of_patterns() -> None:
    names = "abcdefgh"  # present or empty: 256 patterns
    with template_folder("".join(f"{{{{ {name} }}}}" for name in names)) as folder:
        composer = composer_of(folder.parent)
        emails = [email(dict(zip(names, values, strict=True))) for values in product(("x", ""), repeat=len(names))]
        filled = [composer.fill(one, now=NOW, eight_bit=True) is not None for one in emails]
        assert filled == [number < prerendered.PATTERNS_MAX for number in range(len(emails))]
        assert composer.fill(emails[0], now=NOW, eight_bit=True) is not None
        expected = composer.render(emails[-1], now=NOW, eight_bit=True)
        assert composer.compose(emails[-1], now=NOW, eight_bit=True).data == expected
