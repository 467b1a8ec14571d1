"""A mail that is put together from pieces is, to the byte, the mail composed from its beginning."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.messages import compose, prerendered
from engine.templates import templates
from engine.tracking import tokens
from tests.engine.templates.test_plain_and_fast import written

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
PRINTS = st.sampled_from(
    ["{{ a }}", "{{ b }}", "{{ url }}", "{{ a }} {{ b }}", "{{ unsubscribe_url }}", "{{ maybe|default('<ñ>') }}",
     "{{ maybe|default('y', true) }}", "{{ a if maybe is defined and maybe else '&' }}", "{{ maybe }}", "{{ b|d(7) }}"]
)  # fmt: skip
HREFS = st.sampled_from(
    ["{{ url }}", "{{ a }}", "https://b.example/?x=1&amp;y='", "https://c.example/?a=1&amp;u={{ a }}", "#x",
     "https://c.example/?a=1&{{ b }}", "https://d.example/{{ b }}", "{{ unsubscribe_url }}", "mailto:x@x.example"]
)  # fmt: skip
LEAVES = st.one_of(
    STATIC,
    PRINTS.map("<p>{}</p>\n".format),
    st.tuples(PRINTS, PRINTS).map(lambda two: f"<b title='{two[0]}'>{two[1]}</b>"),
    HREFS.map(lambda href: f'<a href="{href}">x</a>'),
    st.just("\n.{{ b }}\n{{ a }}\n"),
    st.integers(900, 1_000).map(lambda size: "\n" + "z" * size + "{{ a }}\n"),
)
TESTS = st.sampled_from(
    ["a", "not b", "a and not url", "unsubscribe_url", "b or url", "maybe is defined", "maybe is undefined or not a"]
)
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.tuples(TESTS, inner, inner).map(
        lambda parts: f"{{% if {parts[0]} %}}{parts[1]}{{% else %}}{parts[2]}{{% endif %}}"
    ),
    max_leaves=4,
)
BODIES = st.lists(NESTED, max_size=5).map("".join)
TEXTS = st.one_of(st.none(), st.lists(st.one_of(STATIC, PRINTS, HREFS)).map(" ".join))
SUBJECTS = st.sampled_from(["S {{ b }}", "{% if a %}{{ a }}, {% endif %}x", "€ {{ a }} {{ b }}", "plain", "{{ a }}"])
PEOPLE = st.sampled_from(
    [("a@a.example", None), ("jos@é.example", "José"), ("josé@a.example", ""), ("a b", "x"), ("a@a.example", "A, \"B'")]
)


def message(variables: dict[str, Any], kind: str, person: tuple[str, str | None]) -> compose.Message:
    return compose.Message(EMAIL, "1@cadencia.example", *person, "any", variables, kind)


def outcome(composed: Any, mail: compose.Message, *, eight_bit: bool) -> bytes | str:
    try:
        return composed(mail, now=NOW, eight_bit=eight_bit)
    except (compose.CannotCompose, templates.CannotRender, ValueError) as failure:
        return type(failure).__name__


@given(
    BODIES, TEXTS, SUBJECTS, st.lists(VARIABLES, min_size=1, max_size=4), PEOPLE,
    st.sampled_from(["marketing", "transactional"]), st.booleans(), st.sampled_from(["https://us.example", URL]),
)  # fmt: skip
@example("<p>x</p>", "x{{ a }}", "S", [{"a": "b "}, {"a": " "}], ("a@a.example", None), "marketing", True, URL)
@example("{{ a }}", "{{ a }}", "S", [{"a": "é"}, {"a": "e"}], ("a@a.example", None), "marketing", True, URL)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_mail_is_what_it_is_when_composed_at_length(
    body: str, text: str | None, subject: str, each: list[dict[str, Any]], person: tuple[str, str | None],
    kind: str, eight_bit: bool, url: str,
) -> None:  # fmt: skip
    with written(body, subject, text) as folder:
        library = templates.Library(folder.parent, f"{url}/")
        composer = compose.Composer(library, SIGNER, compose.From("Lucía <l@cadencia.example>", None, url))
        for variables in [*each, *each]:  # the second time from skeletons that are there
            mail = message(variables, kind, person)
            filled = outcome(composer.compose, mail, eight_bit=eight_bit)
            if isinstance(filled, bytes) and composer.made(mail, now=NOW, eight_bit=eight_bit).has_no_dots:
                assert b"\n." not in filled
            at_length = outcome(composer.at_length, mail, eight_bit=eight_bit)
            assert filled == at_length or (isinstance(at_length, str) and filled == "CannotCompose")


@contextmanager
def only_filled() -> Iterator[None]:
    """Fails where a mail is composed at length."""

    def at_length(*_: object, **__: object) -> bytes:
        raise AssertionError("composed at length")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compose.Composer, "at_length", at_length)
        yield


@pytest.mark.parametrize(
    ("folder", "name"),
    [(SHIPPED, name) for name in templates.Library(SHIPPED).names()] + [(BENCHED, "email_1_bench")],
)
def test_the_mails_of_our_own_templates_are_put_together(folder: Path, name: str) -> None:
    library = templates.Library(folder)
    composer = compose.Composer(library, SIGNER, compose.From("l@cadencia.example", None, "https://us.example"))
    mail = message(dict(library.get(name).sample), "marketing", ("a@a.example", "Ana"))._replace(template=name)
    with only_filled():
        filled = composer.compose(mail, now=NOW, eight_bit=True)
    assert filled == composer.at_length(mail, now=NOW, eight_bit=True)


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
def test_what_differs_in_more_than_its_places_is_composed_at_length(body: str, variables: dict[str, Any]) -> None:
    with written(body, "S", None) as folder:
        library = templates.Library(folder.parent)
        composer = compose.Composer(library, SIGNER, compose.From("l@cadencia.example", None, "https://us.example"))
        with pytest.raises(AssertionError, match="composed at length"), only_filled():
            composer.compose(message(variables, "marketing", ("a@a.example", None)), now=NOW, eight_bit=True)


@pytest.mark.parametrize(
    ("body", "value", "has_no_dots"),
    [
        ("<p>{{ a }}</p>", ".", True),
        ("x\n{{ a }}", "b.", True),
        ("x\n{{ a }}", ".b", False),
        ("x\n.{{ a }}", "b", False),
    ],
)
def test_a_mail_without_a_dot_at_the_start_of_a_line_is_vouched_for(body: str, value: str, has_no_dots: bool) -> None:
    with written(body, "S", "x") as folder:
        library = templates.Library(folder.parent)
        composer = compose.Composer(library, SIGNER, compose.From("l@cadencia.example", None, "https://us.example"))
        mail = message({"a": value}, "marketing", ("a@a.example", None))
        with only_filled():
            made = composer.made(mail, now=NOW, eight_bit=True)
    assert made.has_no_dots is has_no_dots
    assert (b"\n." in made.data) is not has_no_dots


def test_no_more_skeletons_are_kept_than_patterns_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerendered, "_PATTERNS_MAX", 1)
    with written("<p>{{ a }}</p>", "S", None) as folder:
        library = templates.Library(folder.parent)
        composer = compose.Composer(library, SIGNER, compose.From("l@cadencia.example", None, "https://us.example"))
        first, other = (message({"a": a}, "marketing", ("a@a.example", None)) for a in ("x", "é"))
        composer.compose(first, now=NOW, eight_bit=True)
        assert composer.compose(other, now=NOW, eight_bit=True) == composer.at_length(other, now=NOW, eight_bit=True)
        with only_filled():
            composer.compose(first, now=NOW, eight_bit=True)
        with pytest.raises(AssertionError, match="composed at length"), only_filled():
            composer.compose(other, now=NOW, eight_bit=True)
